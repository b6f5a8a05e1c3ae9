#include "datasets/download.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

namespace reckon {

namespace fs = std::filesystem;

namespace {

/// A program that was started and is stopped, if need be, when this goes out of scope.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (status_) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }

  /// The exit code once it has ended; that of a program ended by a signal is 128 + the signal.
  std::optional<int> poll() {
    int raw = 0;
    if (!status_ && ::waitpid(pid_, &raw, WNOHANG) == pid_)
      status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return status_;
  }

 private:
  pid_t pid_;
  std::optional<int> status_;
};

/// Starts a program found in PATH, without a shell, its output into the file `log`.
/// Returns nothing when there is no such program.
std::optional<pid_t> start(const std::vector<std::string>& command, const std::string& temporary,
                           const std::string& log) {
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  // Programs keep their half-made files where they can be counted and are cleaned up.
  std::vector<std::string> variables = {"TMPDIR=" + temporary, "PIP_DISABLE_PIP_VERSION_CHECK=1"};
  for (char** variable = environ; *variable; ++variable)
    if (std::strncmp(*variable, "TMPDIR=", 7) != 0) variables.emplace_back(*variable);
  std::vector<char*> environment;
  for (auto& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return std::nullopt;
  if (error != 0) throw DownloadError(command[0] + " cannot be started: " + std::strerror(error));
  return pid;
}

int64_t bytes_below(const std::string& folder) {
  int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    // Files may vanish while they are counted.
    std::error_code ignored;
    const auto size = it->is_regular_file(ignored) ? it->file_size(ignored) : 0;
    if (!ignored) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

/// The last line that says anything: where programs tell why they failed.
std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string line, last = "no reason given";
  while (std::getline(file, line))
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  return last;
}

/// Runs a program to its end. Returns false when there is no such program.
bool run(const std::vector<std::string>& command, const std::string& folder,
         const std::string& source, const DownloadProgress& progress) {
  const auto temporary = folder + "/tmp";
  const auto log = folder + "/log.txt";
  fs::create_directories(temporary);
  const auto pid = start(command, temporary, log);
  if (!pid) return false;
  Child child(*pid);
  std::optional<int> status;
  while (!(status = child.poll())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (progress) progress(bytes_below(folder));
  }
  if (*status != 0) throw DownloadError(source + ": " + last_line(log));
  fs::remove_all(temporary);
  return true;
}

constexpr const char* kPythonDownload = R"(
import shutil, sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=8) as source, open(sys.argv[2], "wb") as file:
        shutil.copyfileobj(source, file)
except OSError as error:
    sys.exit(str(error))
)";

}  // namespace

std::string download_url(const std::string& url, const std::string& folder,
                         const DownloadProgress& progress) {
  const auto path = folder + "/archive";
  const std::vector<std::vector<std::string>> commands = {
      {"curl", "--fail", "--location", "--silent", "--show-error", "--proto", "=https,http,file",
       "--connect-timeout", "8", "--speed-limit", "1", "--speed-time", "15", "--output", path, "--",
       url},
      {"wget", "--no-verbose", "--dns-timeout=8", "--connect-timeout=8", "--read-timeout=15",
       "--tries=1", "--output-document", path, "--", url},
      {"python3", "-c", kPythonDownload, url, path}};
  for (const auto& command : commands)
    if (run(command, folder, url, progress)) return path;
  throw DownloadError(url + ": none of curl, wget and python3 is there to get it with");
}

std::string download_wheel(const std::string& requirement, const std::string& folder,
                           const DownloadProgress& progress) {
  const auto target = folder + "/wheel";
  const auto source = "pip, for " + requirement;
  if (!run({"python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
            "--timeout", "8", "--retries", "1", "--dest", target, "--", requirement},
           folder, source, progress))
    throw DownloadError(source + ": there is no python3");
  for (const auto& entry : fs::directory_iterator(target))
    if (entry.path().extension() == ".whl") return entry.path().string();
  throw DownloadError(source + ": no wheel came");
}

}  // namespace reckon
