// The two backends: Gloo between CPUs, NCCL between CUDA devices where libtorch was made with it and its headers are
// there.
#ifdef USE_C10D_GLOO
#include "c10d_group.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace looprpt {

// The address under which this machine speaks to `host`, as the system's routes have it; empty where it cannot be told.
// The name that a machine gives itself often leads to an address that others do not reach.
static std::string addressTowards(const std::string& host, int64_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return "";
  std::string address;
  for (const addrinfo* entry = found; entry != nullptr && address.empty(); entry = entry->ai_next) {
    const int handle = socket(entry->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (handle < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    char text[NI_MAXHOST];
    // A datagram socket sends nothing when it is connected.
    if (connect(handle, entry->ai_addr, entry->ai_addrlen) == 0 &&
        getsockname(handle, reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      address = text;
    close(handle);
  }
  freeaddrinfo(found);
  return address;
}

static std::vector<std::shared_ptr<::gloo::transport::Device>> glooDevices(const JoinOptions& options) {
  using c10d::ProcessGroupGloo;
  const char* interfaces = std::getenv("GLOO_SOCKET_IFNAME");
  if (interfaces != nullptr && *interfaces != '\0') {
    std::vector<std::shared_ptr<::gloo::transport::Device>> devices;
    const std::string names = interfaces;
    for (size_t from = 0; from <= names.size();) {
      const size_t to = std::min(names.find(',', from), names.size());
      devices.push_back(ProcessGroupGloo::createDeviceForInterface(names.substr(from, to - from)));
      from = to + 1;
    }
    return devices;
  }
  const std::string address = addressTowards(options.host, options.port);
  return {address.empty() ? ProcessGroupGloo::createDefaultDevice()
                          : ProcessGroupGloo::createDeviceForHostname(address)};
}

// Gloo's own limit is only a stop for what the monitor could not end.
static milliseconds backendLimit(const JoinOptions& options) {
  return options.timeLimit + options.silence + milliseconds(5000);
}

static c10::intrusive_ptr<Backend> makeGloo(const c10::intrusive_ptr<c10d::Store>& store, const JoinOptions& options) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(backendLimit(options));
  gloo->devices = glooDevices(options);
  gloo->threads = 2;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo);
}

#ifdef USE_C10D_NCCL
static c10::intrusive_ptr<Backend> makeNccl(const c10::intrusive_ptr<c10d::Store>& store, const JoinOptions& options) {
  // NCCL's watchdog would end the process; the time limits here end the collective instead.
  for (const char* name :
       {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ENABLE_MONITORING"})
    setenv(name, "0", 0);
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(options.device));
  auto nccl = c10d::ProcessGroupNCCL::Options::create();
  nccl->timeout = backendLimit(options);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, options.rank, options.size, nccl);
}
#endif

c10::intrusive_ptr<Backend> makeBackend(const c10::intrusive_ptr<c10d::Store>& store, const JoinOptions& options) {
#ifdef USE_C10D_NCCL
  if (options.backend == "nccl") return makeNccl(store, options);
#endif
  TORCH_CHECK(options.backend == "gloo", "the addon was built without ", options.backend);
  return makeGloo(store, options);
}

std::vector<std::string> backendNames() {
#ifdef USE_C10D_NCCL
  return {"gloo", "nccl"};
#else
  return {"gloo"};
#endif
}

bool scattersSums(const std::string& backend) { return backend == "nccl"; }

}  // namespace looprpt
#endif
