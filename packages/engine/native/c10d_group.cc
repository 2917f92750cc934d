#ifdef USE_C10D_GLOO
#include "c10d_group.h"

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace looprpt {

static std::string messageOf(const std::exception& error) { return withoutStack(error); }

static void heedCancel(const JoinOptions& options) {
  TORCH_CHECK(!options.cancelled->load(), "rank ", options.rank, " stopped waiting for the others");
}

// The longest that a cancelled process goes on waiting for a store.
constexpr milliseconds kPatience{1000};

static c10::intrusive_ptr<c10d::Store> connect(const JoinOptions& options, bool hold) {
  c10d::TCPStoreOptions tcp;
  tcp.port = static_cast<uint16_t>(options.port);
  tcp.isServer = hold;
  tcp.waitWorkers = false;
  tcp.timeout = hold ? options.timeLimit : std::min(options.timeLimit, kPatience);
  const std::string place = options.host + ":" + std::to_string(options.port);
  const auto deadline = Clock::now() + options.timeLimit;
  for (;;) {
    try {
      auto store = c10::make_intrusive<c10d::TCPStore>(options.host, tcp);
      store->setTimeout(options.timeLimit);
      return c10::make_intrusive<c10d::PrefixStore>(options.prefix, store);
    } catch (const std::exception& error) {
      heedCancel(options);
      if (!hold && Clock::now() < deadline) {
        std::this_thread::sleep_for(milliseconds(50));
        continue;
      }
      if (hold)
        TORCH_CHECK(false, "rank ", options.rank, " cannot hold the store at ", place,
                    ": is the address this machine's, and the port free? (", messageOf(error), ")");
      TORCH_CHECK(false, "rank ", options.rank, " cannot reach the store at ", place, " within ",
                  secondsText(options.timeLimit), ": is its holder running, and MASTER_ADDR and MASTER_PORT right? (",
                  messageOf(error), ")");
    }
  }
}

// Every process writes that it is here, and waits for all others to have done so.
static void meet(c10d::Store& store, const JoinOptions& options) {
  const auto key = [](int rank) { return "here/" + std::to_string(rank); };
  const auto sizeKey = [](int rank) { return "size/" + std::to_string(rank); };
  // Whoever has come was told of as many ranks as this one.
  const auto agree = [&] {
    for (int rank = 0; rank < options.size; ++rank) {
      if (!store.check({sizeKey(rank)})) continue;
      const std::string theirs = bytesToText(store.get(sizeKey(rank)));
      if (theirs == std::to_string(options.size)) continue;
      const std::string finding = c10::str("WORLD_SIZE is ", theirs, " on rank ", rank, " and ", options.size,
                                           " on rank ", options.rank, ": every process needs the same");
      store.set("fault", textToBytes(finding));
      if (options.holdsStore) std::this_thread::sleep_for(milliseconds(500));
      TORCH_CHECK(false, finding);
    }
  };
  store.set(sizeKey(options.rank), textToBytes(std::to_string(options.size)));
  TORCH_CHECK(store.add(key(options.rank), 1) == 1, "rank ", options.rank,
              " joined twice: every process needs a RANK of its own, and a MASTER_PORT that no other run uses");
  std::vector<std::string> keys;
  for (int rank = 0; rank < options.size; ++rank) keys.push_back(key(rank));
  const auto deadline = Clock::now() + options.timeLimit;
  for (milliseconds pause{2}; !store.check(keys); pause = std::min(pause * 2, milliseconds(100))) {
    heedCancel(options);
    agree();
    // Whoever gives up first says so to all: they began at different moments.
    if (store.check({"fault"})) TORCH_CHECK(false, bytesToText(store.get("fault")));
    if (Clock::now() > deadline) {
      std::vector<int> missing;
      for (int rank = 0; rank < options.size; ++rank)
        if (!store.check({key(rank)})) missing.push_back(rank);
      if (missing.empty()) return;
      const std::string finding = c10::str(ranksText(missing), " did not come within ", secondsText(options.timeLimit),
                                           "; ", options.size - missing.size(), " of ", options.size, " are there");
      store.set("fault", textToBytes(finding));
      if (options.holdsStore) std::this_thread::sleep_for(milliseconds(500));
      TORCH_CHECK(false, finding);
    }
    std::this_thread::sleep_for(pause);
  }
  agree();
}

std::shared_ptr<Group> Group::join(const JoinOptions& options) {
  auto group = std::make_shared<Group>();
  group->options = options;
  // Makes libtorch heed TORCH_CPP_LOG_LEVEL: its sockets write much that comes as an error too.
  c10::initLogging();
  if (options.size == 1 && options.backend == "gloo") return group;
  group->store = connect(options, options.holdsStore);
  auto second = connect(options, false);
  Monitor::Place place;
  place.rank = options.rank;
  place.size = options.size;
  place.holdsStore = options.holdsStore;
  const std::string at = options.host + ":" + std::to_string(options.port);
  place.storeText = options.prefix.find("/agent/") == std::string::npos ? "rank 0, which holds the store at " + at + ","
                                                                        : "the store at " + at;
  place.silence = options.silence;
  second->set("beat/" + std::to_string(options.rank), textToBytes("0 0"));
  try {
    meet(*group->store, options);
  } catch (const c10::Error&) {
    throw;
  } catch (const std::exception& error) {
    TORCH_CHECK(false, place.storeText, " has gone before all had come (", messageOf(error), ")");
  }
  group->monitor = std::make_shared<Monitor>(std::move(second), place);
  group->monitor->start();
  try {
    group->backend = makeBackend(group->store, options);
    group->barrier()->wait();
  } catch (const std::exception& error) {
    const bool explained = group->failed.exchange(true);
    throw std::runtime_error(
        explained ? messageOf(error) : group->monitor->explain("the processes could not connect: " + messageOf(error)));
  }
  return group;
}

Group::~Group() {
  if (monitor) monitor->stop();
  // Not left in peace: something may still be under way, and waiting for it here could take for ever.
  backend.release();
  store.release();
}

void Group::leave() {
  if (!monitor || failed) return;
  monitor->leave();
  backend.reset();
  store.reset();
}

void Group::fail(const std::string& reason) {
  if (!monitor || failed.exchange(true)) return;
  monitor->announce("rank " + std::to_string(options.rank) + " stopped: " + reason);
  monitor->linger();
}

void Group::checkPlace(const at::Tensor& tensor) const {
  TORCH_CHECK(tensor.is_contiguous(), "a collective wants contiguous tensors");
  const bool cuda = options.backend == "nccl";
  TORCH_CHECK(cuda ? tensor.is_cuda() : tensor.is_cpu(), "a group on ", options.backend, " takes tensors on ",
              cuda ? "CUDA" : "the CPU", ", not ", summaryOf(tensor));
}

template <typename Start>
std::shared_ptr<Pending> Group::begin(const char* kind, std::vector<at::Tensor> tensors, Start start) {
  TORCH_CHECK(!failed, "this process group has failed before and is of no further use");
  for (const at::Tensor& tensor : tensors) checkPlace(tensor);
  auto pending = std::make_shared<Pending>();
  pending->group = shared_from_this();
  pending->tensors = std::move(tensors);
  if (backend) {
    pending->number = monitor->begin();
    pending->what = std::string(kind) + " " + std::to_string(pending->number);
    pending->work = start(pending->tensors);
  }
  return pending;
}

std::shared_ptr<Pending> Group::allReduce(at::Tensor tensor, c10d::ReduceOp::RedOpType op) {
  return begin("all-reduce", {std::move(tensor)}, [&](std::vector<at::Tensor>& tensors) {
    c10d::AllreduceOptions how;
    how.reduceOp = op;
    return backend->allreduce(tensors, how);
  });
}

std::shared_ptr<Pending> Group::reduceScatter(at::Tensor output, at::Tensor input) {
  TORCH_CHECK(input.numel() == output.numel() * options.size, "a reduce-scatter of ", options.size, " ranks takes ",
              output.numel() * options.size, " elements in, not ", input.numel());
  if (!backend) output.copy_(input);
  return begin("reduce-scatter", {std::move(output), std::move(input)},
               [&](std::vector<at::Tensor>& tensors) { return backend->_reduce_scatter_base(tensors[0], tensors[1]); });
}

std::shared_ptr<Pending> Group::allGather(at::Tensor output, at::Tensor input) {
  TORCH_CHECK(output.numel() == input.numel() * options.size, "an all-gather of ", options.size, " ranks gives ",
              input.numel() * options.size, " elements, not ", output.numel());
  if (!backend) output.copy_(input);
  return begin("all-gather", {std::move(output), std::move(input)}, [&](std::vector<at::Tensor>& tensors) {
    if (options.backend == "nccl") return backend->_allgather_base(tensors[0], tensors[1]);
    std::vector<std::vector<at::Tensor>> outputs{tensors[0].view(-1).chunk(options.size)};
    std::vector<at::Tensor> inputs{tensors[1].view(-1)};
    return backend->allgather(outputs, inputs);
  });
}

std::shared_ptr<Pending> Group::broadcast(at::Tensor tensor, int root) {
  TORCH_CHECK(root >= 0 && root < options.size, "there is no rank ", root, " among ", options.size);
  return begin("broadcast", {std::move(tensor)}, [&](std::vector<at::Tensor>& tensors) {
    c10d::BroadcastOptions how;
    how.rootRank = root;
    return backend->broadcast(tensors, how);
  });
}

std::shared_ptr<Pending> Group::barrier() {
  const auto device = options.backend == "nccl" ? at::Device(at::kCUDA, options.device) : at::Device(at::kCPU);
  return begin("barrier", {at::zeros({1}, at::TensorOptions(at::kFloat).device(device))},
               [&](std::vector<at::Tensor>& tensors) { return backend->allreduce(tensors); });
}

// Polls with growing pauses: the same for both backends, and what the monitor finds ends it.
void Pending::wait() {
  if (!work) return;
  Group& owner = *group;
  Monitor& monitor = *owner.monitor;
  const auto started = Clock::now();
  const auto giveUp = [&](const std::string& why) {
    owner.failed = true;
    monitor.linger();
    throw std::runtime_error(why + "; " + what + " of rank " + std::to_string(owner.options.rank) +
                             " was given up after " + secondsText(Clock::now() - started));
  };
  std::string error;
  bool watching = false;
  std::chrono::microseconds pause{10};
  while (!work->isCompleted()) {
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 5 / 4 + std::chrono::microseconds(1), std::chrono::microseconds(1000));
    const auto waited = Clock::now() - started;
    if (!watching && waited > monitor.period() / 2) {
      monitor.watch(true);
      watching = true;
    }
    if (!watching) continue;
    const std::string problem = monitor.problem();
    if (!problem.empty()) giveUp(problem);
    if (waited > owner.options.timeLimit)
      giveUp("the time limit of " + secondsText(owner.options.timeLimit) + " has passed and " +
             monitor.overdue(number));
  }
  if (watching) monitor.watch(false);
  try {
    work->wait();
  } catch (const std::exception& failure) {
    error = messageOf(failure);
    if (error.empty()) error = "no reason given";
  }
  tensors.clear();
  if (!error.empty()) {
    owner.failed = true;
    giveUp(monitor.explain(error));
  }
}

}  // namespace looprpt
#endif
