#ifdef USE_C10D_GLOO
#include "c10d_monitor.h"

#include <algorithm>
#include <cstdio>

namespace looprpt {

std::string bytesToText(const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); }
std::vector<uint8_t> textToBytes(const std::string& text) { return std::vector<uint8_t>(text.begin(), text.end()); }

std::string ranksText(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

std::string secondsText(Clock::duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

Monitor::Monitor(c10::intrusive_ptr<c10d::Store> store, Place place)
    : store_(std::move(store)),
      place_(std::move(place)),
      period_(std::min(milliseconds(1000), std::max(milliseconds(20), place_.silence / 5))),
      seen_(place_.size) {}

void Monitor::start() {
  stopped_ = false;
  contact_ = Clock::now();
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
}

void Monitor::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    bool reached = true;
    try {
      beat();
    } catch (const std::exception&) {
      reached = false;
    }
    lock.lock();
    storeLost_ = !reached;
    if (reached) contact_ = Clock::now();
    changed_.notify_all();
    changed_.wait_for(lock, period_, [this] { return stopping_; });
  }
  stopped_ = true;
  changed_.notify_all();
}

void Monitor::beat() {
  store_->set(key("beat", place_.rank), textToBytes(std::to_string(++beats_) + " " + std::to_string(begun_.load())));
  std::string reason;
  bool looking = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!fault_.empty()) return;
    reason.swap(toAnnounce_);
    looking = watchers_ > 0;
  }
  if (!reason.empty()) publish(reason);
  if (store_->check({"fault"})) {
    const std::string fault = bytesToText(store_->get("fault"));
    const std::lock_guard<std::mutex> lock(mutex_);
    fault_ = fault;
    return;
  }
  if (looking) look();
}

void Monitor::look() {
  std::vector<int> silent;
  std::vector<int> left;
  Clock::duration longest{0};
  for (int rank = 0; rank < place_.size; ++rank) {
    if (rank == place_.rank) continue;
    const std::string beat = bytesToText(store_->get(key("beat", rank)));
    const auto now = Clock::now();
    const std::lock_guard<std::mutex> lock(mutex_);
    Seen& seen = seen_[rank];
    if (beat != seen.beat) {
      seen.beat = beat;
      seen.changed = now;
      seen.left = beat == "left";
      const size_t space = beat.find(' ');
      if (space != std::string::npos) seen.begun = std::stoll(beat.substr(space + 1));
    }
    if (seen.left) {
      left.push_back(rank);
      continue;
    }
    const auto quiet = now - std::max(seen.changed, watchedSince_);
    if (quiet > (urgent_ ? std::min(period_ * 5 / 2, place_.silence) : place_.silence)) {
      silent.push_back(rank);
      longest = std::max(longest, now - seen.changed);
    }
  }
  if (!silent.empty()) {
    const char* verb = silent.size() == 1 ? " does" : " do";
    publish(ranksText(silent) + verb + " not answer: no sign of life for " + secondsText(longest));
  } else if (!left.empty()) {
    publish(ranksText(left) + (left.size() == 1 ? " has" : " have") + " left the group");
  }
}

// The first finding stays; 1.13 and 2.x agree that an absent key equals an empty one.
void Monitor::publish(const std::string& finding) {
  const std::string first = bytesToText(store_->compareSet("fault", {}, textToBytes(finding)));
  const std::lock_guard<std::mutex> lock(mutex_);
  fault_ = first.empty() ? finding : first;
  changed_.notify_all();
}

void Monitor::watch(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (on && watchers_ == 0) watchedSince_ = Clock::now();
  watchers_ += on ? 1 : -1;
}

std::string Monitor::storeSilent(Clock::time_point now) const {
  return place_.storeText + " does not answer: nothing heard from it for " + secondsText(now - contact_);
}

std::string Monitor::problem() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!fault_.empty()) return fault_;
  const auto now = Clock::now();
  if (now - contact_ > place_.silence) return storeSilent(now);
  return "";
}

std::string Monitor::explain(const std::string& error) {
  watch(true);
  const auto deadline = Clock::now() + 6 * period_ + milliseconds(500);
  std::unique_lock<std::mutex> lock(mutex_);
  urgent_ = true;
  watchedSince_ = Clock::now();
  const auto known = [this] { return !fault_.empty(); };
  // A store that is gone may have taken the finding with it; one that is slow gets until the deadline.
  while (!known() && Clock::now() < deadline) changed_.wait_for(lock, period_);
  std::string found = fault_;
  if (found.empty() && (storeLost_ || Clock::now() - contact_ > 3 * period_)) found = storeSilent(Clock::now());
  urgent_ = false;
  --watchers_;
  return found.empty() ? error + " (all ranks still answer)" : found;
}

std::string Monitor::overdue(int64_t number) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<int> missing;
  for (int rank = 0; rank < place_.size; ++rank)
    if (rank != place_.rank && seen_[rank].begun < number) missing.push_back(rank);
  if (missing.empty()) return "all ranks have come to it";
  return ranksText(missing) + (missing.size() == 1 ? " has" : " have") + " not come to it";
}

void Monitor::announce(const std::string& reason) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!fault_.empty()) return;
  toAnnounce_ = reason;
  changed_.wait_for(lock, 3 * period_, [this] { return !fault_.empty() || stopped_; });
}

void Monitor::linger() const {
  if (place_.holdsStore && place_.size > 1) std::this_thread::sleep_for(3 * period_);
}

void Monitor::leave() {
  stop();
  if (!stopped_) return;
  try {
    store_->set(key("beat", place_.rank), textToBytes("left"));
    if (!place_.holdsStore) return;
    const auto deadline = Clock::now() + std::min(milliseconds(5000), place_.silence);
    for (int rank = 0; rank < place_.size; ++rank) {
      while (rank != place_.rank && bytesToText(store_->get(key("beat", rank))) != "left") {
        if (Clock::now() > deadline) return;
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
    // One more exchange of theirs may still be under way.
    std::this_thread::sleep_for(milliseconds(20));
  } catch (const std::exception&) {
    // The store's holder is gone already, and with it whoever would have read this.
  }
}

void Monitor::stop() {
  std::unique_lock<std::mutex> lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  if (!thread_.joinable()) return;
  changed_.wait_for(lock, 3 * period_, [this] { return stopped_; });
  const bool ended = stopped_;
  lock.unlock();
  if (ended)
    thread_.join();
  else
    thread_.detach();
}

}  // namespace looprpt
#endif
