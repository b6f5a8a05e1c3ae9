#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace reckon {

/// Starts `reckon` with these arguments; what it says goes to the files `out` and `err`.
inline pid_t start_reckon(const std::vector<std::string>& arguments,
                          const std::string& out = "/dev/null",
                          const std::string& err = "/dev/null") {
  std::vector<char*> argv;
  std::string program = RECKON_PROGRAM;
  argv.push_back(program.data());
  auto copies = arguments;
  for (auto& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    if (freopen(out.c_str(), "w", stdout) == nullptr ||
        freopen(err.c_str(), "w", stderr) == nullptr)
      _exit(99);
    execv(program.c_str(), argv.data());
    _exit(98);
  }
  return child;
}

/// Waits for the end of a child; its exit code, or the negative number of the signal that ended it.
inline int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Runs `reckon` with these arguments and nobody listening; killed after `kill_after` milliseconds when
/// that is positive. Returns the exit code, or -SIGKILL when it was killed in time.
inline int run_reckon(const std::vector<std::string>& arguments, int kill_after = 0) {
  const pid_t child = start_reckon(arguments);
  if (kill_after > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kill_after));
    kill(child, SIGKILL);
  }
  return wait_for(child);
}

}  // namespace reckon
