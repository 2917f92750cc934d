// Entry of the addon: one Addon per Node environment, freed when the environment goes.
#include "addon.h"

namespace looprpt {

void registerFunction(napi_env env, napi_value exports, Addon* addon, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, addon, &function);
  napi_set_named_property(env, exports, name, function);
}

napi_value throwAsError(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

// libtorch appends where in its C++ an error was raised, and a stack; users need the sentence only.
std::string withoutStack(const std::exception& error) {
  const auto* c10Error = dynamic_cast<const c10::Error*>(&error);
  std::string text = c10Error ? c10Error->what_without_backtrace() : error.what();
  const size_t raised = text.find("\nException raised from");
  if (raised != std::string::npos) text.resize(raised);
  // an operator without a kernel for the device: one line a backend, with places in libtorch's sources
  const size_t backends = text.find("is only available for these backends");
  if (backends != std::string::npos) text.resize(text.find('\n', backends));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

static napi_value initialise(napi_env env, napi_value exports) {
  auto* addon = new Addon();
  napi_set_instance_data(env, addon, [](napi_env, void* data, void*) { delete static_cast<Addon*>(data); }, nullptr);
  registerDispatch(env, exports, addon);
  registerTensors(env, exports, addon);
  registerFiles(env, exports, addon);
  registerAutograd(env, exports, addon);
  registerGenerators(env, exports, addon);
  registerRuntime(env, exports, addon);
  registerProfile(env, exports, addon);
  registerDistributed(env, exports, addon);
  return exports;
}

}  // namespace looprpt

NAPI_MODULE_INIT() { return looprpt::initialise(env, exports); }
