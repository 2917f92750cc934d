// What is known of a tensor (shape, dtype, device), its bytes in and out, and its release.
#include "addon.h"

#include <cstring>
#include <iterator>

namespace looprpt {

struct Bytes {
  void* data;
  size_t length;
};

// Any typed array's own part of its buffer.
static Bytes bytesOf(const Call& call, size_t i) {
  bool typed = false;
  TORCH_CHECK(i < call.argc && napi_is_typedarray(call.env, call.argv[i], &typed) == napi_ok && typed, "argument ", i,
              ": a typed array was expected");
  napi_typedarray_type type;
  size_t elements = 0;
  Bytes bytes{nullptr, 0};
  napi_get_typedarray_info(call.env, call.argv[i], &type, &elements, &bytes.data, nullptr, nullptr);
  static constexpr size_t kSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};  // in napi_typedarray_type's order
  TORCH_CHECK(static_cast<size_t>(type) < std::size(kSizes), "argument ", i, ": an unknown kind of typed array");
  bytes.length = elements * kSizes[type];
  return bytes;
}

std::string summaryOf(const at::Tensor& tensor) {
  return c10::str(dtypeName(tensor.scalar_type()), " ", tensor.sizes(), " on ", tensor.device());
}

static void checkLength(const at::Tensor& tensor, const Bytes& bytes) {
  TORCH_CHECK(tensor.nbytes() == bytes.length, "a tensor of ", tensor.nbytes(), " bytes (", summaryOf(tensor),
              ") does not fit an array of ", bytes.length, " bytes");
}

static void copyBytes(void* to, const void* from, size_t length) {
  if (length > 0) std::memcpy(to, from, length);
}

// fromBytes(typedArray, dtype, sizes, targetDType, device) -> a new tensor with a copy of the bytes, converted
static napi_value fromBytes(const Call& call) {
  const Bytes bytes = bytesOf(call, 0);
  const at::Tensor tensor = at::empty(call.sizes(2), at::TensorOptions(parseDType(call.string(1))));
  checkLength(tensor, bytes);
  copyBytes(tensor.data_ptr(), bytes.data, bytes.length);
  return call.fromTensor(tensor.to(c10::Device(call.string(4)), parseDType(call.string(3))));
}

static void copyOut(const at::Tensor& tensor, const Bytes& bytes) {
  const at::Tensor flat = tensor.to(at::kCPU).contiguous();
  checkLength(flat, bytes);
  copyBytes(bytes.data, flat.data_ptr(), bytes.length);
}

// readBytes(tensor, typedArray): copies the elements, in row-major order, into the array
static napi_value readBytes(const Call& call) {
  copyOut(call.tensor(0).detach(), bytesOf(call, 1));
  return call.undefined();
}

// readNumbers(tensor, Float64Array): the same, converted from any dtype
static napi_value readNumbers(const Call& call) {
  copyOut(call.tensor(0).detach().to(at::kDouble), bytesOf(call, 1));
  return call.undefined();
}

// writeBytes(tensor, typedArray): overwrites a contiguous CPU tensor in place; autograd learns that it changed
static napi_value writeBytes(const Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  const Bytes bytes = bytesOf(call, 1);
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous(),
              "only a contiguous tensor on the CPU can be overwritten");
  checkLength(tensor, bytes);
  copyBytes(tensor.data_ptr(), bytes.data, bytes.length);
  if (!tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
  return call.undefined();
}

// viewBytes(tensor) -> ArrayBuffer over the tensor's own memory (contiguous, CPU)
static napi_value viewBytes(const Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous(), "only a contiguous tensor on the CPU can be viewed");
  return call.fromMemory(tensor.data_ptr(), tensor.nbytes(), tensor);
}

static napi_value sizes(const Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  napi_value array;
  napi_create_array_with_length(call.env, tensor.dim(), &array);
  for (int64_t i = 0; i < tensor.dim(); ++i) napi_set_element(call.env, array, i, call.fromNumber(tensor.size(i)));
  return array;
}

static napi_value dtype(const Call& call) { return call.fromString(dtypeName(call.tensor(0).scalar_type())); }
static napi_value device(const Call& call) { return call.fromString(call.tensor(0).device().str()); }
static napi_value isContiguous(const Call& call) { return call.fromBool(call.tensor(0).is_contiguous()); }

// ownedBytes(tensor) -> the bytes that are freed with this handle as far as can be told: none for views, for second
// references and for mapped files
static napi_value ownedBytes(const Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  if (tensor.use_count() > 1 || !tensor.has_storage()) return call.fromNumber(0);
  const c10::Storage& storage = tensor.storage();
  return call.fromNumber(storage.use_count() > 1 || storage.allocator() == nullptr ? 0 : storage.nbytes());
}

static napi_value item(const Call& call) {
  const at::Scalar scalar = call.tensor(0).item();
  return call.fromNumber(scalar.isBoolean() ? scalar.to<bool>() : scalar.toDouble());
}

static napi_value release(const Call& call) {
  call.addon.tensors.release(call.int32(0));
  return call.undefined();
}

// releaseAll(Int32Array, n): the first n handles in it
static napi_value releaseAll(const Call& call) {
  const Bytes bytes = bytesOf(call, 0);
  const auto* handles = static_cast<const int32_t*>(bytes.data);
  const auto n = static_cast<size_t>(call.int64(1));
  TORCH_CHECK(n * sizeof(int32_t) <= bytes.length, "more handles than the array has");
  for (size_t i = 0; i < n; ++i) call.addon.tensors.release(handles[i]);
  return call.undefined();
}

static napi_value liveTensors(const Call& call) { return call.fromNumber(call.addon.tensors.live()); }

void registerTensors(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "fromBytes", entry<fromBytes>);
  registerFunction(env, exports, addon, "readBytes", entry<readBytes>);
  registerFunction(env, exports, addon, "readNumbers", entry<readNumbers>);
  registerFunction(env, exports, addon, "writeBytes", entry<writeBytes>);
  registerFunction(env, exports, addon, "viewBytes", entry<viewBytes>);
  registerFunction(env, exports, addon, "sizes", entry<sizes>);
  registerFunction(env, exports, addon, "dtype", entry<dtype>);
  registerFunction(env, exports, addon, "device", entry<device>);
  registerFunction(env, exports, addon, "isContiguous", entry<isContiguous>);
  registerFunction(env, exports, addon, "ownedBytes", entry<ownedBytes>);
  registerFunction(env, exports, addon, "item", entry<item>);
  registerFunction(env, exports, addon, "release", entry<release>);
  registerFunction(env, exports, addon, "releaseAll", entry<releaseAll>);
  registerFunction(env, exports, addon, "liveTensors", entry<liveTensors>);
}

}  // namespace looprpt
