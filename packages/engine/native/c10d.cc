// Entry points of process groups (c10d_group.h) and gradient reducers (c10d_reducer.h). Where libtorch is without them
// only `distributedBackends` is there, and gives none.
#ifdef USE_C10D_GLOO
#include "c10d_reducer.h"
#else
#include "addon.h"
#endif

#ifdef __linux__
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include <atomic>
#include <functional>
#include <map>
#include <mutex>

namespace looprpt {

static napi_value strings(const Call& call, const std::vector<std::string>& values) {
  napi_value array;
  napi_create_array_with_length(call.env, values.size(), &array);
  for (size_t i = 0; i < values.size(); ++i) napi_set_element(call.env, array, i, call.fromString(values[i]));
  return array;
}

// tcpBytesSent() -> bytes that the open TCP connections of this process have sent and the other side has confirmed; -1
// where the system does not count them
static napi_value tcpBytesSent(const Call& call) {
#ifdef __linux__
  double bytes = 0;
  for (int handle = 0; handle < 4096; ++handle) {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
      bytes += static_cast<double>(info.tcpi_bytes_acked);
  }
  return call.fromNumber(bytes);
#else
  return call.fromNumber(-1);
#endif
}

#ifdef USE_C10D_GLOO

// Work for a thread of Node's pool, and what becomes of its promise on the JavaScript thread.
struct Task {
  Addon& addon;
  std::function<void()> run;
  std::function<napi_value(const Call&)> result;
  std::string error;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

static napi_value promise(const Call& call, const char* name, std::function<void()> run,
                          std::function<napi_value(const Call&)> result) {
  auto* task = new Task{call.addon, std::move(run), std::move(result)};
  napi_value answer;
  napi_create_promise(call.env, &task->deferred, &answer);
  const auto execute = [](napi_env, void* data) {
    auto& task = *static_cast<Task*>(data);
    try {
      task.run();
    } catch (const std::exception& error) {
      task.error = withoutStack(error);
      if (task.error.empty()) task.error = "unknown failure";
    }
  };
  const auto complete = [](napi_env env, napi_status, void* data) {
    const std::unique_ptr<Task> task(static_cast<Task*>(data));
    const Call call{env, task->addon, 0, nullptr};
    if (task->error.empty()) {
      napi_resolve_deferred(env, task->deferred, task->result(call));
    } else {
      napi_value error;
      napi_create_error(env, nullptr, call.fromString(task->error), &error);
      napi_reject_deferred(env, task->deferred, error);
    }
    napi_delete_async_work(env, task->work);
  };
  napi_create_async_work(call.env, nullptr, call.fromString(name), execute, complete, task, &task->work);
  napi_queue_async_work(call.env, task->work);
  return answer;
}

static napi_value distributedBackends(const Call& call) { return strings(call, backendNames()); }

static napi_value scattersSumsOf(const Call& call) { return call.fromBool(scattersSums(call.string(0))); }

// Joins under way, by the ticket that the caller gave them.
struct Joins {
  std::mutex mutex;
  std::map<int64_t, std::shared_ptr<std::atomic<bool>>> cancelled;
};

static Joins& joins() {
  static Joins all;
  return all;
}

// cancelJoin(ticket): the join of that ticket, if it is still under way, is rejected soon
static napi_value cancelJoin(const Call& call) {
  const std::lock_guard<std::mutex> lock(joins().mutex);
  const auto found = joins().cancelled.find(call.int64(0));
  if (found != joins().cancelled.end()) found->second->store(true);
  return call.undefined();
}

// joinGroup(backend, host, port, holdsStore, prefix, rank, size, device, timeLimitMs, silenceMs, ticket) -> promise of
// a group
static napi_value joinGroup(const Call& call) {
  JoinOptions options;
  options.backend = call.string(0);
  options.host = call.string(1);
  options.port = call.int64(2);
  options.holdsStore = call.boolean(3);
  options.prefix = call.string(4);
  options.rank = call.int32(5);
  options.size = call.int32(6);
  options.device = call.int32(7);
  options.timeLimit = milliseconds(call.int64(8));
  options.silence = milliseconds(call.int64(9));
  TORCH_CHECK(options.rank >= 0 && options.rank < options.size, "rank ", options.rank, " of ", options.size);
  const int64_t ticket = call.int64(10);
  options.cancelled = std::make_shared<std::atomic<bool>>(false);
  {
    const std::lock_guard<std::mutex> lock(joins().mutex);
    joins().cancelled[ticket] = options.cancelled;
  }
  const auto forget = [ticket](void*) {
    const std::lock_guard<std::mutex> lock(joins().mutex);
    joins().cancelled.erase(ticket);
  };
  auto joined = std::make_shared<std::shared_ptr<Group>>();
  return promise(
      call, "joinGroup",
      [options, joined, forget] {
        const std::unique_ptr<void, decltype(forget)> end(joined.get(), forget);
        *joined = Group::join(options);
      },
      [joined](const Call& call) { return call.fromNumber(call.addon.groups.add(*joined)); });
}

static std::shared_ptr<Group> groupAt(const Call& call) { return call.addon.groups.at(call.int32(0)); }

// leaveGroup(group) -> promise; the handle is released at once
static napi_value leaveGroup(const Call& call) {
  auto group = groupAt(call);
  call.addon.groups.release(call.int32(0));
  return promise(call, "leaveGroup", [group] { group->leave(); }, [](const Call& call) { return call.undefined(); });
}

// failGroup(group, reason): tells the others; the handle stays
static napi_value failGroup(const Call& call) {
  groupAt(call)->fail(call.string(1));
  return call.undefined();
}

static napi_value begun(const Call& call, std::shared_ptr<Pending> pending) {
  return call.fromNumber(call.addon.collectives.add(std::move(pending)));
}

static napi_value allReduce(const Call& call) {
  const std::string name = call.string(2);
  TORCH_CHECK(name == "sum" || name == "max" || name == "min", "unknown reduction '", name, "'");
  const auto op = name == "sum" ? c10d::ReduceOp::SUM : name == "max" ? c10d::ReduceOp::MAX : c10d::ReduceOp::MIN;
  return begun(call, groupAt(call)->allReduce(call.tensor(1), op));
}

// reduceScatter(group, output [n], input [size·n])
static napi_value reduceScatter(const Call& call) {
  return begun(call, groupAt(call)->reduceScatter(call.tensor(1), call.tensor(2)));
}

// allGather(group, output [size·n], input [n])
static napi_value allGather(const Call& call) {
  return begun(call, groupAt(call)->allGather(call.tensor(1), call.tensor(2)));
}

static napi_value broadcast(const Call& call) {
  return begun(call, groupAt(call)->broadcast(call.tensor(1), call.int32(2)));
}

static napi_value barrier(const Call& call) { return begun(call, groupAt(call)->barrier()); }

static std::shared_ptr<Pending> takePending(const Call& call) {
  auto pending = call.addon.collectives.at(call.int32(0));
  call.addon.collectives.release(call.int32(0));
  return pending;
}

// waitCollective(collective): blocks; the handle is released. waitCollectiveLater: the same as a promise.
static napi_value waitCollective(const Call& call) {
  takePending(call)->wait();
  return call.undefined();
}

static napi_value waitCollectiveLater(const Call& call) {
  auto pending = takePending(call);
  return promise(call, "collective", [pending] { pending->wait(); }, [](const Call& call) { return call.undefined(); });
}

// newReducer(group, flats, shards (0: none), parameters, bucketOfParameter, parameterOfPiece, fromOfPiece, places)
static napi_value newReducer(const Call& call) {
  const auto flats = call.tensors(1), shards = call.tensors(2), tensors = call.tensors(3), places = call.tensors(7);
  const auto bucketOf = call.sizes(4), parameterOf = call.sizes(5), from = call.sizes(6);
  std::vector<Reducer::Bucket> buckets(flats.size());
  for (size_t i = 0; i < flats.size(); ++i) {
    buckets[i].flat = flats[i];
    buckets[i].shard = shards.at(i);
  }
  std::vector<Reducer::Parameter> parameters(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    parameters[i].tensor = tensors[i];
    parameters[i].bucket = static_cast<size_t>(bucketOf.at(i));
  }
  for (size_t i = 0; i < places.size(); ++i) parameters.at(parameterOf.at(i)).pieces.push_back({from.at(i), places[i]});
  auto reducer = std::make_shared<Reducer>(groupAt(call), std::move(buckets), std::move(parameters));
  reducer->attach();
  return call.fromNumber(call.addon.reducers.add(std::move(reducer)));
}

static napi_value armReducer(const Call& call) {
  call.addon.reducers.at(call.int32(0))->arm();
  return call.undefined();
}

static napi_value collectInReducer(const Call& call) {
  call.addon.reducers.at(call.int32(0))->collect();
  return call.undefined();
}

// finishReducer(reducer) -> the collectives, one a bucket
static napi_value finishReducer(const Call& call) {
  const auto sums = call.addon.reducers.at(call.int32(0))->finish();
  napi_value array;
  napi_create_array_with_length(call.env, sums.size(), &array);
  for (size_t i = 0; i < sums.size(); ++i) napi_set_element(call.env, array, i, begun(call, sums[i]));
  return array;
}

// presentInReducer(reducer) -> by parameter, whether it had a gradient in the step just finished
static napi_value presentInReducer(const Call& call) {
  const auto present = call.addon.reducers.at(call.int32(0))->present();
  napi_value array;
  napi_create_array_with_length(call.env, present.size(), &array);
  for (size_t i = 0; i < present.size(); ++i) napi_set_element(call.env, array, i, call.fromBool(present[i]));
  return array;
}

static napi_value releaseReducer(const Call& call) {
  call.addon.reducers.at(call.int32(0))->dispose();
  call.addon.reducers.release(call.int32(0));
  return call.undefined();
}

void registerDistributed(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "distributedBackends", entry<distributedBackends>);
  registerFunction(env, exports, addon, "scattersSums", entry<scattersSumsOf>);
  registerFunction(env, exports, addon, "joinGroup", entry<joinGroup>);
  registerFunction(env, exports, addon, "cancelJoin", entry<cancelJoin>);
  registerFunction(env, exports, addon, "leaveGroup", entry<leaveGroup>);
  registerFunction(env, exports, addon, "failGroup", entry<failGroup>);
  registerFunction(env, exports, addon, "allReduce", entry<allReduce>);
  registerFunction(env, exports, addon, "reduceScatter", entry<reduceScatter>);
  registerFunction(env, exports, addon, "allGather", entry<allGather>);
  registerFunction(env, exports, addon, "broadcast", entry<broadcast>);
  registerFunction(env, exports, addon, "barrier", entry<barrier>);
  registerFunction(env, exports, addon, "waitCollective", entry<waitCollective>);
  registerFunction(env, exports, addon, "waitCollectiveLater", entry<waitCollectiveLater>);
  registerFunction(env, exports, addon, "newReducer", entry<newReducer>);
  registerFunction(env, exports, addon, "collectInReducer", entry<collectInReducer>);
  registerFunction(env, exports, addon, "armReducer", entry<armReducer>);
  registerFunction(env, exports, addon, "finishReducer", entry<finishReducer>);
  registerFunction(env, exports, addon, "presentInReducer", entry<presentInReducer>);
  registerFunction(env, exports, addon, "releaseReducer", entry<releaseReducer>);
  registerFunction(env, exports, addon, "tcpBytesSent", entry<tcpBytesSent>);
}

#else

static napi_value distributedBackends(const Call& call) { return strings(call, {}); }

void registerDistributed(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "distributedBackends", entry<distributedBackends>);
  registerFunction(env, exports, addon, "tcpBytesSent", entry<tcpBytesSent>);
}

#endif

}  // namespace looprpt
