// A group of processes and what it does together, on libtorch's c10d: Gloo between CPUs, NCCL between CUDA devices.
//
// No call here waits without a limit: joining, and every collective, end in time or fail with a sentence that names the
// ranks at fault (c10d_monitor.h). After a failure the group is of no further use, and its backend is never destroyed:
// its threads may hang in a connection to a process that is gone, and go with this one.
#pragma once

#include "addon.h"
#include "c10d_monitor.h"

#include <torch/version.h>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#else
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif

namespace looprpt {

#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

struct JoinOptions {
  std::string backend;  // "gloo" or "nccl"
  std::string host;
  int64_t port;
  bool holdsStore;
  std::string prefix;  // of keys: processes of an earlier attempt must not be mistaken for these
  int rank;
  int size;
  int device;  // index, for NCCL
  milliseconds timeLimit;
  milliseconds silence;
  std::shared_ptr<std::atomic<bool>> cancelled;  // set by another thread: joining ends soon, with an error
};

// A collective under way.
struct Pending {
  static constexpr const char* kName = "collective";
  std::shared_ptr<struct Group> group;
  c10::intrusive_ptr<c10d::Work> work;  // null where a group of one has nothing to do
  std::vector<at::Tensor> tensors;      // kept until it has ended
  std::string what;                     // "all-reduce 17"
  int64_t number = 0;

  // @throws where it fails or does not end in time; then the group is of no further use
  void wait();
};

struct Group : std::enable_shared_from_this<Group> {
  static constexpr const char* kName = "process group";
  JoinOptions options;
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<Backend> backend;
  std::shared_ptr<Monitor> monitor;
  std::atomic<bool> failed{false};

  ~Group();
  // Meets the other processes. @throws naming who did not come
  static std::shared_ptr<Group> join(const JoinOptions& options);
  // Parts in peace: all collectives have ended.
  void leave();
  // Tells the others that this process gives up, and why.
  void fail(const std::string& reason);

  std::shared_ptr<Pending> allReduce(at::Tensor tensor, c10d::ReduceOp::RedOpType op);
  // output [n] ← this rank's part of the sum of all inputs [size·n]
  std::shared_ptr<Pending> reduceScatter(at::Tensor output, at::Tensor input);
  // output [size·n] ← the inputs [n] of all, by rank
  std::shared_ptr<Pending> allGather(at::Tensor output, at::Tensor input);
  std::shared_ptr<Pending> broadcast(at::Tensor tensor, int root);
  std::shared_ptr<Pending> barrier();

 private:
  template <typename Start>
  std::shared_ptr<Pending> begin(const char* kind, std::vector<at::Tensor> tensors, Start start);
  void checkPlace(const at::Tensor& tensor) const;
};

// Makes the backend of a group whose members have all come to the store (c10d_backends.cc).
c10::intrusive_ptr<Backend> makeBackend(const c10::intrusive_ptr<c10d::Store>& store, const JoinOptions& options);
std::vector<std::string> backendNames();
// Whether the backend has a reduce-scatter of its own.
bool scattersSums(const std::string& backend);

}  // namespace looprpt
