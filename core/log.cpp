#include "core/log.h"

#include <glog/logging.h>

#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>

#include "core/diagnostics.h"

namespace reckon {

namespace {

// Writes messages our way: plain lines for the terminal, dated ones for the file. Messages go to this
// sink alone, so glog opens no files of its own; and none of ours ends the program.
class Sink : public google::LogSink {
 public:
  void configure(const LogOptions& options) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, std::fclose);
    if (!options.file.empty()) {
      file.reset(std::fopen(options.file.c_str(), "ae"));
      if (!file) throw DataError(options.file, 0, "the log file cannot be opened for writing");
    }
    const std::lock_guard lock(mutex_);
    file_ = std::move(file);
    quiet_ = options.quiet;
  }

  void send(google::LogSeverity severity, const char*, const char*, int,
            const google::LogMessageTime& time, const char* message, size_t length) override {
    const std::string text(message, length);
    const auto* word = severity == google::INFO      ? ""
                       : severity == google::WARNING ? "warning: "
                                                     : "error: ";
    const std::lock_guard lock(mutex_);
    if (!quiet_ || severity > google::INFO) std::fprintf(stderr, "%s%s\n", word, text.c_str());
    if (!file_) return;
    constexpr size_t kLongestTime = 32;
    char date[kLongestTime];
    const auto now = static_cast<std::time_t>(time.timestamp());
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &parts);
    std::fprintf(file_.get(), "%s %s%s\n", date, word, text.c_str());
    std::fflush(file_.get());
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
  bool quiet_ = false;
};

Sink& sink() {
  static Sink sink;
  return sink;
}

void log(google::LogSeverity severity, const std::string& message) {
  google::LogMessage(__FILE__, __LINE__, severity, &sink(), false).stream() << message;
}

}  // namespace

void init_log(const LogOptions& options) { sink().configure(options); }

void log_info(const std::string& message) { log(google::INFO, message); }
void log_warning(const std::string& message) { log(google::WARNING, message); }
void log_error(const std::string& message) { log(google::ERROR, message); }

}  // namespace reckon
