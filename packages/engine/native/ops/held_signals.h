// Keeps signals away from this thread for as long as it lives; they wait, or another thread of the process takes them.
// For code that a signal handler must not interrupt. Faults (SIGSEGV and the like) come through: they are the thread's
// own.
#pragma once

#include <csignal>
#include <initializer_list>

namespace looprpt {

class HeldSignals {
 public:
  HeldSignals() { pthread_sigmask(SIG_BLOCK, &held(), &before_); }
  ~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  static const sigset_t& held() {
    static const sigset_t all = [] {
      sigset_t set;
      sigfillset(&set);
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&set, fault);
      return set;
    }();
    return all;
  }

  sigset_t before_;
};

}  // namespace looprpt
