import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.devices.payload import LINE, blank, byte_count, own_copy, pack
from harness.errors import HarnessError

NUMPY = hnp.arrays(
    hnp.scalar_dtypes() | hnp.array_dtypes(max_size=3), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
)
TORCH = [
    torch.bfloat16,
    torch.float16,
    torch.float32,
    torch.float64,
    torch.int8,
    torch.int64,
    torch.bool,
    torch.complex64,
]


def through_bytes(array):
    description, payload = pack(array)
    copy, view = blank(description)
    view[:] = payload
    return copy


@settings(deadline=None)
@given(NUMPY)
def test_every_dtype_and_shape_survives_the_journey(array):
    copy = through_bytes(array)
    assert (copy.dtype, copy.shape, copy.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert byte_count(array) == array.nbytes


@settings(deadline=None)
@given(st.sampled_from(TORCH), st.lists(st.integers(0, 4), max_size=3))
def test_every_kind_of_tensor_survives_the_journey(dtype, shape):
    tensor = torch.randint(0, 2, shape).to(dtype)
    copy = through_bytes(tensor)
    assert copy.dtype == dtype
    assert copy.shape == tensor.shape
    assert torch.equal(copy, tensor)
    assert byte_count(tensor) == tensor.numel() * tensor.element_size()


def test_an_array_arrives_at_the_beginning_of_a_cache_line():
    assert all(through_bytes(np.ones((n, 3), np.float32)).ctypes.data % LINE == 0 for n in (1, 7, 1000, 200_000))


def test_what_is_not_contiguous_arrives_in_its_own_order():
    array = np.arange(24).reshape(4, 6)[::2, ::-3]
    assert through_bytes(array).tolist() == array.tolist()
    tensor = torch.arange(24).reshape(4, 6).t()[1:4]
    assert through_bytes(tensor).tolist() == tensor.tolist()
    conjugated = torch.tensor([1 + 2j, 3 - 1j]).conj()
    assert through_bytes(conjugated).tolist() == conjugated.tolist()


def test_a_contiguous_array_is_not_copied_to_be_sent():
    array = np.zeros(4)
    _, payload = pack(array)
    array[0] = 1
    assert np.frombuffer(payload).tolist() == [1, 0, 0, 0]


def test_counting_an_arrays_bytes_copies_none_of_them():
    assert byte_count(np.broadcast_to(np.float64(0), (10**7, 10**7))) == 8 * 10**14


def test_scalars_travel_as_arrays_without_dimensions():
    assert through_bytes(2.5) == np.array(2.5)
    assert through_bytes(np.float32(2.5)).shape == ()


def test_a_parameter_arrives_as_a_plain_tensor():
    parameter = torch.nn.Parameter(torch.ones(2))
    copy = own_copy(parameter)
    assert not copy.requires_grad
    assert through_bytes(parameter).tolist() == [1, 1]


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["a", None])])
def test_objects_are_refused_by_their_dtype(array):
    with pytest.raises(HarnessError, match="cannot send an array of object"):
        pack(array)


def test_sparse_tensors_are_refused_by_their_layout():
    with pytest.raises(HarnessError, match=r"torch\.sparse_coo"):
        pack(torch.eye(2).to_sparse())
