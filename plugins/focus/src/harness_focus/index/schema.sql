-- One file a stream. Everything that a segment of video adds is committed in one transaction.
CREATE TABLE IF NOT EXISTS stream (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    source TEXT NOT NULL,
    settings TEXT NOT NULL,      -- JSON: network, K, T, ...
    classes TEXT NOT NULL,       -- JSON: the cheap network's classes, in its order
    began REAL NOT NULL          -- when the index was, in seconds of the epoch: a camera's second 0
);
CREATE TABLE IF NOT EXISTS segment (
    number INTEGER PRIMARY KEY,
    frames INTEGER NOT NULL,     -- frames read so far, this segment's included
    seconds REAL NOT NULL,       -- where it ends
    clusters INTEGER NOT NULL,   -- clusters begun so far
    counts TEXT NOT NULL         -- JSON: what it took
);
CREATE TABLE IF NOT EXISTS second (
    number INTEGER PRIMARY KEY,
    frames INTEGER NOT NULL      -- that the video has in it
);
CREATE TABLE IF NOT EXISTS cluster (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    classified INTEGER NOT NULL,
    active INTEGER NOT NULL,
    centroid BLOB NOT NULL,
    sums BLOB NOT NULL,          -- summed probabilities
    shown BLOB NOT NULL,         -- the feature of the object that stands for it
    picture BLOB NOT NULL,       -- that object, as PNG
    revision INTEGER NOT NULL,   -- how often another object came to stand for it
    first REAL NOT NULL,         -- seconds of its first and last member
    last REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS member (
    cluster INTEGER NOT NULL REFERENCES cluster,
    frame INTEGER NOT NULL,
    seconds REAL NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS member_of ON member (cluster, seconds);
CREATE TABLE IF NOT EXISTS ranking (
    class INTEGER NOT NULL,
    cluster INTEGER NOT NULL REFERENCES cluster,
    rank INTEGER NOT NULL,       -- from 1
    probability REAL NOT NULL,   -- mean over the members
    PRIMARY KEY (class, rank, cluster)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ranking_of ON ranking (cluster);
CREATE TABLE IF NOT EXISTS verdict (
    cluster INTEGER NOT NULL REFERENCES cluster,
    revision INTEGER NOT NULL,
    network TEXT NOT NULL,       -- the expensive network, by content
    label TEXT NOT NULL,
    PRIMARY KEY (cluster, network)
) WITHOUT ROWID;
