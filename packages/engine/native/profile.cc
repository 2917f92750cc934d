// How long each operator takes: libtorch's observers of operators and of the steps of a backward pass, on this thread
// (and on the threads that libtorch runs a device's backward pass on for it).
//
// Times are self times: an operator's own without those that it calls, so that they add up to the time spent in
// operators. On a device that works on its own these are the times of the calls, not of the device.
#include "addon.h"

#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

namespace looprpt {
namespace {

using Clock = std::chrono::steady_clock;

struct Running {
  Clock::time_point start;
  Clock::duration inner{0};  // time in operators that this one called
  bool backward;
};

struct Total {
  int64_t calls = 0;
  Clock::duration self{0};
};

using Key = std::pair<std::string, bool>;  // operator, whether inside a backward pass

thread_local std::vector<Running> running;
thread_local at::CallbackHandle observer = at::INVALID_CALLBACK_HANDLE;

std::mutex totalsMutex;
std::map<Key, Total> totals;

std::unique_ptr<at::ObserverContext> began(const at::RecordFunction& function) {
  const bool outer = !running.empty() && running.back().backward;
  running.push_back(
      {Clock::now(), Clock::duration{0}, outer || function.scope() == at::RecordScope::BACKWARD_FUNCTION});
  return nullptr;
}

void ended(const at::RecordFunction& function, at::ObserverContext*) {
  const Running self = running.back();
  running.pop_back();
  const Clock::duration whole = Clock::now() - self.start;
  if (!running.empty()) running.back().inner += whole;
  const std::lock_guard<std::mutex> lock(totalsMutex);
  Total& total = totals[{function.name(), self.backward}];
  ++total.calls;
  total.self += whole - self.inner;
}

}  // namespace

static napi_value startProfile(const Call& call) {
  TORCH_CHECK(observer == at::INVALID_CALLBACK_HANDLE, "a profile is being taken already");
  running.clear();
  {
    const std::lock_guard<std::mutex> lock(totalsMutex);
    totals.clear();
  }
  observer = at::addThreadLocalCallback(
      at::RecordFunctionCallback(began, ended).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  return call.undefined();
}

static napi_value describeTotal(const Call& call, const Key& key, const Total& total) {
  napi_value row;
  napi_create_object(call.env, &row);
  napi_set_named_property(call.env, row, "operator", call.fromString(key.first));
  napi_set_named_property(call.env, row, "backward", call.fromBool(key.second));
  napi_set_named_property(call.env, row, "calls", call.fromNumber(static_cast<double>(total.calls)));
  const std::chrono::duration<double, std::milli> milliseconds = total.self;
  napi_set_named_property(call.env, row, "milliseconds", call.fromNumber(milliseconds.count()));
  return row;
}

// stopProfile() -> [{operator, backward, calls, milliseconds}]
static napi_value stopProfile(const Call& call) {
  TORCH_CHECK(observer != at::INVALID_CALLBACK_HANDLE, "no profile is being taken");
  at::removeCallback(observer);
  observer = at::INVALID_CALLBACK_HANDLE;
  napi_value rows;
  napi_create_array(call.env, &rows);
  uint32_t i = 0;
  const std::lock_guard<std::mutex> lock(totalsMutex);
  for (const auto& [key, total] : totals) napi_set_element(call.env, rows, i++, describeTotal(call, key, total));
  return rows;
}

void registerProfile(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "startProfile", entry<startProfile>);
  registerFunction(env, exports, addon, "stopProfile", entry<stopProfile>);
}

}  // namespace looprpt
