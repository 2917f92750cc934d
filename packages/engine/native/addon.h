// The state of one Node environment (main thread or worker) and the small vocabulary that all entry points share.
//
// JavaScript never holds a C++ pointer: tensors, generators and mapped files live in tables here and JavaScript has
// their index ("handle", from 1; 0 is "no tensor"). A handle is owned by exactly one JavaScript object, which releases
// it once. That keeps a call cheap (no wrapped object, no finalizer per tensor) and makes "how many are alive" exact.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <node_api.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace looprpt {

// Slots for values of one kind; freed slots are used again.
template <typename T>
class HandleTable {
 public:
  int32_t add(T value) {
    ++live_;
    if (free_.empty()) {
      slots_.push_back(std::move(value));
      return static_cast<int32_t>(slots_.size());
    }
    const int32_t handle = free_.back();
    free_.pop_back();
    slots_[handle - 1] = std::move(value);
    return handle;
  }
  T& at(int32_t handle) {
    TORCH_CHECK(handle > 0 && static_cast<size_t>(handle) <= slots_.size() && alive(slots_[handle - 1]), "this ",
                name(slots_), " was already disposed of");
    return slots_[handle - 1];
  }
  void release(int32_t handle) {
    at(handle) = T();
    free_.push_back(handle);
    --live_;
  }
  int64_t live() const { return live_; }

 private:
  static bool alive(const at::Tensor& t) { return t.defined(); }
  static bool alive(const at::Generator& g) { return g.defined(); }
  template <typename U>
  static bool alive(const std::shared_ptr<U>& p) {
    return p != nullptr;
  }
  static const char* name(const std::vector<at::Tensor>&) { return "tensor"; }
  static const char* name(const std::vector<at::Generator>&) { return "generator"; }
  template <typename U>
  static const char* name(const std::vector<std::shared_ptr<U>>&) {
    return U::kName;
  }
  std::vector<T> slots_;
  std::vector<int32_t> free_;
  int64_t live_ = 0;
};

struct Mapping;  // files.cc
struct Group;    // c10d_group.h
struct Pending;
class Reducer;  // c10d_reducer.h

struct Operator {
  c10::OperatorHandle handle;
  std::vector<int> changed;  // per result: the index of the argument, changed in place, that it is; -1 for a new value
};

struct Addon {
  HandleTable<at::Tensor> tensors;
  HandleTable<at::Generator> generators;
  HandleTable<std::shared_ptr<Mapping>> mappings;
  HandleTable<std::shared_ptr<Group>> groups;
  HandleTable<std::shared_ptr<Pending>> collectives;
  HandleTable<std::shared_ptr<Reducer>> reducers;
  std::vector<Operator> operators;
  std::unordered_map<std::string, int32_t> operatorIds;
  std::vector<std::unique_ptr<c10::InferenceMode>> inferenceModes;
};

// One call from JavaScript: its arguments, and conversions that throw C++ exceptions with plain messages.
struct Call {
  static constexpr size_t kMaxArguments = 40;  // no operator of libtorch has more
  napi_env env;
  Addon& addon;
  size_t argc;
  const napi_value* argv;

  int32_t int32(size_t i) const;  // a handle or an operator's id: only our own JavaScript passes these
  int64_t int64(size_t i) const;
  bool boolean(size_t i) const;
  std::string string(size_t i) const;
  std::vector<int64_t> sizes(size_t i) const;
  at::Tensor& tensor(size_t i) const { return addon.tensors.at(int32(i)); }
  std::vector<at::Tensor> tensors(size_t i) const;  // an array of handles; 0 is an undefined tensor

  napi_value undefined() const;
  napi_value fromNumber(double value) const;
  napi_value fromBool(bool value) const;
  napi_value fromString(const std::string& value) const;
  napi_value fromTensor(at::Tensor value) const;  // undefined tensor -> null
  napi_value fromTensors(const std::vector<at::Tensor>& values) const;

  // An ArrayBuffer over native memory, which a copy of `owner` keeps alive for as long as JavaScript sees the buffer.
  template <typename Owner>
  napi_value fromMemory(void* data, size_t length, const Owner& owner) const;
};

template <typename Owner>
napi_value Call::fromMemory(void* data, size_t length, const Owner& owner) const {
  napi_value buffer;
  if (length == 0) {  // Node takes a buffer without memory for a detached one
    napi_create_arraybuffer(env, 0, &data, &buffer);
    return buffer;
  }
  auto kept = std::make_unique<Owner>(owner);
  const auto forget = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
  TORCH_CHECK(napi_create_external_arraybuffer(env, data, length, forget, kept.get(), &buffer) == napi_ok,
              "this runtime does not allow views of native memory");
  kept.release();
  return buffer;
}

// conversions of single values (values.cc)
int64_t readInteger(napi_env env, napi_value value);  // a number without a fraction that fits 64 bits
std::string readString(napi_env env, napi_value value);
at::ScalarType parseDType(const std::string& name);
const char* dtypeName(at::ScalarType type);
std::string summaryOf(const at::Tensor& tensor);  // "float32 [2, 3] on cpu" (tensors.cc)

// conversions by schema (convert.cc)
c10::IValue toIValue(const Call& call, napi_value value, const c10::FunctionSchema& schema, size_t argument);
napi_value fromIValue(const Call& call, const c10::IValue& value);

// Denormal numbers as zeros, in libtorch's arithmetic only: JavaScript's must stay exact, and both share the
// processor's mode. (Second moments of an optimizer decay into denormals, which are many times slower.)
struct FlushDenormals {
  FlushDenormals() { at::globalContext().setFlushDenormal(true); }
  ~FlushDenormals() { at::globalContext().setFlushDenormal(false); }
};

using Function = napi_value (*)(const Call&);
void registerFunction(napi_env env, napi_value exports, Addon* addon, const char* name, napi_callback callback);
napi_value throwAsError(napi_env env, const std::string& message);
std::string withoutStack(const std::exception& error);

// Wraps an entry point: arguments in, C++ exceptions out as JavaScript errors.
template <Function F>
napi_value entry(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t argc = Call::kMaxArguments;
  napi_value argv[Call::kMaxArguments];
  napi_get_cb_info(env, info, &argc, argv, nullptr, &data);
  const Call call{env, *static_cast<Addon*>(data), argc, argv};
  try {
    return F(call);
  } catch (const std::exception& error) {
    return throwAsError(env, withoutStack(error));
  }
}

// Each part of the addon adds its functions to the exports.
void registerDispatch(napi_env env, napi_value exports, Addon* addon);
void registerTensors(napi_env env, napi_value exports, Addon* addon);
void registerFiles(napi_env env, napi_value exports, Addon* addon);
void registerAutograd(napi_env env, napi_value exports, Addon* addon);
void registerGenerators(napi_env env, napi_value exports, Addon* addon);
void registerRuntime(napi_env env, napi_value exports, Addon* addon);
void registerProfile(napi_env env, napi_value exports, Addon* addon);
void registerDistributed(napi_env env, napi_value exports, Addon* addon);

}  // namespace looprpt
