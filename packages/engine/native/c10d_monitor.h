// Who of a group is still there. A collective that does not end cannot tell why; this can.
//
// Every process writes a beat to the shared store once a period, from a thread of its own, with the number of
// collectives it has begun: a process that computes for long still beats, one that is killed, stopped or cut off does
// not. While someone waits, its monitor reads the others' beats; whose beat stands still for longer than `silence` is
// at fault. The first finding is written to the store, so that all tell the same story. The store has its own
// connection here, since a call to a store whose host is stopped may never return; a monitor that hangs in one is left
// behind.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace looprpt {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Monitor : public std::enable_shared_from_this<Monitor> {
 public:
  struct Place {
    int rank;
    int size;
    bool holdsStore;
    std::string storeText;  // "rank 0, which holds the store at host:port,"
    milliseconds silence;
  };

  Monitor(c10::intrusive_ptr<c10d::Store> store, Place place);

  void start();
  // The last beat, "left"; whoever holds the store waits a little for the others to leave too.
  void leave();
  // Ends the thread; a thread that hangs in the store is left behind.
  void stop();

  // Number of the collective that is begun now, from 1.
  int64_t begin() { return ++begun_; }

  // While anybody watches, the others' beats are read.
  void watch(bool on);
  // Why no collective can end any more; empty while all is well.
  std::string problem();
  // A collective failed with `error`: finds out whose fault it is, which takes some periods at most.
  std::string explain(const std::string& error);
  // Collective `number` did not end in time though all beat: names who has not come to it.
  std::string overdue(int64_t number);
  // Tells all others why this process gives up.
  void announce(const std::string& reason);
  // Whoever holds the store must not go before the others have read why.
  void linger() const;

  milliseconds period() const { return period_; }

 private:
  struct Seen {
    std::string beat;
    Clock::time_point changed;
    int64_t begun = 0;
    bool left = false;
  };
  void run();
  void beat();
  void look();
  void publish(const std::string& finding);
  std::string storeSilent(Clock::time_point now) const;
  std::string key(const char* kind, int rank) const { return std::string(kind) + "/" + std::to_string(rank); }

  const c10::intrusive_ptr<c10d::Store> store_;
  const Place place_;
  const milliseconds period_;
  std::atomic<int64_t> begun_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Seen> seen_;
  std::string fault_;
  std::string toAnnounce_;
  bool storeLost_ = false;
  Clock::time_point contact_ = Clock::now();
  Clock::time_point watchedSince_ = Clock::now();
  int watchers_ = 0;
  bool urgent_ = false;
  int64_t beats_ = 0;
  bool stopping_ = false;
  bool stopped_ = true;
  std::thread thread_;
};

std::string bytesToText(const std::vector<uint8_t>& bytes);
std::vector<uint8_t> textToBytes(const std::string& text);
// "rank 2", "ranks 1, 2 and 5"
std::string ranksText(const std::vector<int>& ranks);
std::string secondsText(Clock::duration duration);

}  // namespace looprpt
