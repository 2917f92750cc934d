#include "shrunk_files.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace looprpt {

// The handler may take no lock and no memory, so everything that it reads stands in tables of fixed size. A mapping
// that finds no room is not watched.
struct Watched {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  char path[1024];
};

static std::array<Watched, 1024> watched;
static std::mutex changing;
static char removed[4096];
static std::atomic<bool> removes{false};

static void say(const char* text) {
  const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(written);
}

static void onFault(int number, siginfo_t* fault, void*) {
  const auto at = reinterpret_cast<uintptr_t>(fault->si_addr);
  for (const Watched& one : watched) {
    if (at < one.begin.load() || at >= one.end.load()) continue;
    say("\n");
    say(one.path);
    say(": became shorter while it was in use; put the whole file back and start again\n");
    if (removes.load()) unlink(removed);
    _exit(1);
  }
  // Not ours: the same fault again, now with its usual end.
  signal(number, SIG_DFL);
}

static void listen() {
  struct sigaction before;
  if (sigaction(SIGBUS, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) return;
  struct sigaction action = {};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

void watchMapping(const void* data, size_t length, const std::string& path) {
  static std::once_flag once;
  std::call_once(once, listen);
  const std::lock_guard<std::mutex> lock(changing);
  for (Watched& one : watched) {
    if (one.begin.load() != 0) continue;
    std::strncpy(one.path, path.c_str(), sizeof one.path - 1);
    one.end.store(reinterpret_cast<uintptr_t>(data) + length);
    one.begin.store(reinterpret_cast<uintptr_t>(data));
    return;
  }
}

void forgetMapping(const void* data) {
  const std::lock_guard<std::mutex> lock(changing);
  for (Watched& one : watched) {
    if (one.begin.load() != reinterpret_cast<uintptr_t>(data)) continue;
    one.end.store(0);
    one.begin.store(0);
    std::memset(one.path, 0, sizeof one.path);
    return;
  }
}

void removeOnFault(const std::string& path) {
  const std::lock_guard<std::mutex> lock(changing);
  removes.store(false);
  if (path.empty() || path.size() >= sizeof removed) return;
  std::strcpy(removed, path.c_str());
  removes.store(true);
}

}  // namespace looprpt
