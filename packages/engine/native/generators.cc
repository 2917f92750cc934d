// Random number generators whose whole state can be read and set, so that a run can go on where it stopped.
#include "addon.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace looprpt {

// newGenerator(device, seed): its own stream, independent of libtorch's default generator
static napi_value newGenerator(const Call& call) {
  const c10::Device device(call.string(0));
  at::Generator generator =
      device.is_cpu() ? at::detail::createCPUGenerator() : at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(static_cast<uint64_t>(call.int64(1)));
  return call.fromNumber(call.addon.generators.add(std::move(generator)));
}

static napi_value generatorState(const Call& call) {
  at::Generator& generator = call.addon.generators.at(call.int32(0));
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return call.fromTensor(generator.get_state());
}

static napi_value setGeneratorState(const Call& call) {
  at::Generator& generator = call.addon.generators.at(call.int32(0));
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(call.tensor(1));
  return call.undefined();
}

static napi_value releaseGenerator(const Call& call) {
  call.addon.generators.release(call.int32(0));
  return call.undefined();
}

void registerGenerators(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "newGenerator", entry<newGenerator>);
  registerFunction(env, exports, addon, "generatorState", entry<generatorState>);
  registerFunction(env, exports, addon, "setGeneratorState", entry<setGeneratorState>);
  registerFunction(env, exports, addon, "releaseGenerator", entry<releaseGenerator>);
}

}  // namespace looprpt
