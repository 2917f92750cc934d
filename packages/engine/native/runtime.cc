// The process around the operators: threads, the C library's allocator, denormals, devices, versions.
#include "addon.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/version.h>

#define LOOPRPT_HAS_DEVICE_ALLOCATOR (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9))
#if LOOPRPT_HAS_DEVICE_ALLOCATOR
#include <c10/core/CachingDeviceAllocator.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace looprpt {

static napi_value setThreads(const Call& call) {
  const int64_t threads = call.int64(0);
  TORCH_CHECK(threads > 0 && threads <= 4096, "a number of threads is between 1 and 4096, not ", threads);
  at::set_num_threads(static_cast<int>(threads));
  return call.undefined();
}

static napi_value threads(const Call& call) { return call.fromNumber(at::get_num_threads()); }

// By default glibc gives every block over 32 MiB back to the system when it is freed and faults its pages in again at
// the next use; a training step frees and asks for the same blocks over and over. Keep them instead, in one arena.
static napi_value keepFreedMemory(const Call& call) {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2147483647);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_ARENA_MAX, 1);
#endif
  return call.undefined();
}

static napi_value version(const Call& call) { return call.fromString(TORCH_VERSION); }

static napi_value cudaDevices(const Call& call) {
  if (!at::hasCUDA()) return call.fromNumber(0);
  return call.fromNumber(c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount());
}

// synchronize(device): waits for the device's current stream; nothing to do on the CPU
static napi_value synchronize(const Call& call) {
  const c10::Device device(call.string(0));
  if (!device.is_cpu()) {
    const c10::impl::VirtualGuardImpl guard(device.type());
    guard.synchronizeStream(guard.getStream(device));
  }
  return call.undefined();
}

// deviceMemory(device) -> [most bytes taken so far, bytes of the device], null where this libtorch does not say
static napi_value deviceMemory(const Call& call) {
#if LOOPRPT_HAS_DEVICE_ALLOCATOR
  const c10::Device device(call.string(0));
  if (!device.is_cpu()) {
    const c10::impl::VirtualGuardImpl guard(device.type());
    const c10::DeviceIndex index = device.has_index() ? device.index() : guard.getDevice().index();
    c10::DeviceAllocator* allocator = at::getDeviceAllocator(device.type());
    const auto stats = allocator->getDeviceStats(index);
    napi_value pair;
    napi_create_array(call.env, &pair);
    napi_set_element(call.env, pair, 0,
                     call.fromNumber(static_cast<double>(
                         stats.reserved_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak)));
    napi_set_element(call.env, pair, 1, call.fromNumber(static_cast<double>(allocator->getMemoryInfo(index).second)));
    return pair;
  }
#endif
  napi_value none;
  napi_get_null(call.env, &none);
  return none;
}

// adjustExternalMemory(bytes): tells the garbage collector about native memory that only it will free
static napi_value adjustExternalMemory(const Call& call) {
  int64_t total = 0;
  napi_adjust_external_memory(call.env, call.int64(0), &total);
  return call.fromNumber(static_cast<double>(total));
}

static napi_value describeBuild(const Call& call) { return call.fromString(at::show_config()); }

void registerRuntime(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "setThreads", entry<setThreads>);
  registerFunction(env, exports, addon, "threads", entry<threads>);
  registerFunction(env, exports, addon, "keepFreedMemory", entry<keepFreedMemory>);
  registerFunction(env, exports, addon, "version", entry<version>);
  registerFunction(env, exports, addon, "cudaDevices", entry<cudaDevices>);
  registerFunction(env, exports, addon, "synchronize", entry<synchronize>);
  registerFunction(env, exports, addon, "deviceMemory", entry<deviceMemory>);
  registerFunction(env, exports, addon, "adjustExternalMemory", entry<adjustExternalMemory>);
  registerFunction(env, exports, addon, "describeBuild", entry<describeBuild>);
}

}  // namespace looprpt
