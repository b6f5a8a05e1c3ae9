#pragma once

#include <string>

namespace reckon {

/// How the program reports. Messages go to standard error, warnings and errors with a word in front;
/// the log file gets all of them with the time.
struct LogOptions {
  std::string file;    ///< Appended to; empty for none.
  bool quiet = false;  ///< Standard error gets warnings and errors only.
};

/// Applies from now on; may be called again (a run opens its own file). Without it, messages go to
/// standard error.   Throws   DataError when the file cannot be opened.
void init_log(const LogOptions& options);

void log_info(const std::string& message);
void log_warning(const std::string& message);
void log_error(const std::string& message);

}  // namespace reckon
