"""Loop bodies with known plans. Names that end in _buf are buffers of the array without the suffix."""

LR = 0.05


def mf_sgd(key, val, W, H):
    i, j = key
    w = W[i, :]
    h = H[j, :]
    e = val - w @ h
    W[i, :] = w + LR * e * h
    H[j, :] = h + LR * e * w


def mf_eval(key, val, W, H, err):
    i, j = key
    d = val - W[i, :] @ H[j, :]
    err += d * d  # accumulator, not a DistArray


def lda(key, val, doc_topic, word_topic, topic_total, topic_total_buf):
    d, w = key
    old, u = val  # current topic, uniform random
    doc_topic[d, old] -= 1  # 2nd subscript comes from data -> unknown
    word_topic[w, old] -= 1
    p = (doc_topic[d, :] + 0.1) * (word_topic[w, :] + 0.01) / (topic_total[:] + 1.0)
    new = pick(p, u)
    doc_topic[d, new] += 1
    word_topic[w, new] += 1
    topic_total_buf[old] -= 1
    topic_total_buf[new] += 1


def pick(p, u):
    c = p.cumsum()
    return int((c < u * c[-1]).sum())


def slr_buffered(key, val, w, w_buf):
    label, feats = val
    s = 0.0
    for f, x in feats:
        s += w[f] * x
    g = s - label
    for f, x in feats:
        w_buf[f] -= LR * g * x


def slr_unbuffered(key, val, w):
    label, feats = val
    s = 0.0
    for f, x in feats:
        s += w[f] * x
    g = s - label
    for f, x in feats:
        w[f] -= LR * g * x


def gauss_seidel5(key, val, A):
    i, j = key
    A[i, j] = 0.25 * (A[i - 1, j] + A[i + 1, j] + A[i, j - 1] + A[i, j + 1])


def gauss_seidel9(key, val, A):
    i, j = key
    A[i, j] = 0.2 * (A[i - 1, j - 1] + A[i - 1, j] + A[i - 1, j + 1] + A[i, j - 1] + A[i, j])


def prefix_sum(key, val, A):
    i = key[0]
    A[i] = A[i - 1] + val


def matrix_add(key, val, A, B, C):
    i, j = key
    C[i, j] = A[i, j] + B[i, j]


def row_sum(key, val, A, s):
    i, j = key
    s[i] += A[i, j]


def transposed(key, val, A):
    i, j = key
    A[i, j] = A[i, j] + 0.5 * A[j, i]


def gbt_histogram(key, val, bins, grad, node_of, hist, best):
    f = key[0]
    for n in range(6):
        hist[f, node_of[n], bins[f, n]] += grad[n]  # only the first subscript is affine
    best[f] = hist[f, 0, :].max()
