// What is known of a tensor (shape, dtype, device), its bytes in and out, and its release.
#include "addon.h"

namespace looprpt {

struct Bytes {
  void* data;
  size_t length;
};

// Any typed array or DataView, as bytes.
static Bytes bytesOf(const Call& call, size_t i) {
  bool typed = false;
  TORCH_CHECK(i < call.argc && napi_is_typedarray(call.env, call.argv[i], &typed) == napi_ok && typed,
              "argument ", i, ": a typed array was expected");
  napi_typedarray_type type;
  size_t elements = 0;
  Bytes bytes{nullptr, 0};
  napi_get_typedarray_info(call.env, call.argv[i], &type, &elements, &bytes.data, nullptr, nullptr);
  static constexpr size_t kSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  bytes.length = elements * kSizes[type];
  return bytes;
}

static void checkLength(const at::Tensor& tensor, const Bytes& bytes) {
  TORCH_CHECK(tensor.nbytes() == bytes.length, "a tensor of ", tensor.nbytes(), " bytes (", dtypeName(tensor.scalar_type()), " ",
              tensor.sizes(), ") does not fit an array of ", bytes.length, " bytes");
}

// fromBytes(typedArray, dtype, sizes) -> a new CPU tensor with a copy of the bytes
static napi_value fromBytes(const Call& call) {
  const Bytes bytes = bytesOf(call, 0);
  at::Tensor tensor = at::empty(call.sizes(2), at::TensorOptions(parseDType(call.string(1))));
  checkLength(tensor, bytes);
  if (bytes.length > 0) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
  return call.fromTensor(std::move(tensor));
}

// readBytes(tensor, typedArray): copies the elements, in row-major order, into the array
static napi_value readBytes(const Call& call) {
  const at::NoGradGuard guard;
  const at::Tensor tensor = call.tensor(0).detach().to(at::kCPU).contiguous();
  const Bytes bytes = bytesOf(call, 1);
  checkLength(tensor, bytes);
  if (bytes.length > 0) std::memcpy(bytes.data, tensor.data_ptr(), bytes.length);
  return call.undefined();
}

// writeBytes(tensor, typedArray): overwrites a contiguous CPU tensor in place
static napi_value writeBytes(const Call& call) {
  at::Tensor& tensor = call.tensor(0);
  const Bytes bytes = bytesOf(call, 1);
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous(), "only a contiguous tensor on the CPU can be overwritten");
  checkLength(tensor, bytes);
  if (bytes.length > 0) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
  return call.undefined();
}

// view(tensor) -> ArrayBuffer over the tensor's own memory (contiguous, CPU); it keeps the tensor's storage alive
static napi_value viewBytes(const Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  TORCH_CHECK(tensor.device().is_cpu() && tensor.is_contiguous(), "only a contiguous tensor on the CPU can be viewed");
  auto* owner = new at::Tensor(tensor);
  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      call.env, tensor.data_ptr(), tensor.nbytes(),
      [](napi_env, void*, void* hint) { delete static_cast<at::Tensor*>(hint); }, owner, &buffer);
  if (status != napi_ok) delete owner;
  TORCH_CHECK(status == napi_ok, "this runtime does not allow views of native memory");
  return buffer;
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
static napi_value storageBytes(const Call& call) { return call.fromNumber(call.tensor(0).storage().nbytes()); }

static napi_value item(const Call& call) {
  const at::Scalar scalar = call.tensor(0).item();
  return call.fromNumber(scalar.isBoolean() ? scalar.to<bool>() : scalar.toDouble());
}

static napi_value release(const Call& call) {
  call.addon.tensors.release(call.int32(0));
  return call.undefined();
}

// alias(tensor) -> a second handle to the same tensor
static napi_value alias(const Call& call) { return call.fromTensor(at::Tensor(call.tensor(0))); }

static napi_value liveTensors(const Call& call) { return call.fromNumber(call.addon.tensors.live()); }

void registerTensors(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "fromBytes", entry<fromBytes>);
  registerFunction(env, exports, addon, "readBytes", entry<readBytes>);
  registerFunction(env, exports, addon, "writeBytes", entry<writeBytes>);
  registerFunction(env, exports, addon, "viewBytes", entry<viewBytes>);
  registerFunction(env, exports, addon, "sizes", entry<sizes>);
  registerFunction(env, exports, addon, "dtype", entry<dtype>);
  registerFunction(env, exports, addon, "device", entry<device>);
  registerFunction(env, exports, addon, "isContiguous", entry<isContiguous>);
  registerFunction(env, exports, addon, "storageBytes", entry<storageBytes>);
  registerFunction(env, exports, addon, "item", entry<item>);
  registerFunction(env, exports, addon, "release", entry<release>);
  registerFunction(env, exports, addon, "alias", entry<alias>);
  registerFunction(env, exports, addon, "liveTensors", entry<liveTensors>);
}

}  // namespace looprpt
