#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
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

/// Runs `reckon` with these arguments and nobody listening; returns what wait_for() does.
inline int run_reckon(const std::vector<std::string>& arguments) {
  return wait_for(start_reckon(arguments));
}

}  // namespace reckon
