#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace reckon {

/// A source could not be reached or does not have what was asked for. what() is one line that says
/// who was asked and what they answered.
class DownloadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Called several times a second with the bytes there so far.
using DownloadProgress = std::function<void(int64_t bytes)>;

/// Gets a URL with the first of curl, wget and python3 that is there, into the empty folder `folder`.
/// A source that does not answer is given up after seconds. Returns the path of the file.
/// Throws   DownloadError.
std::string download_url(const std::string& url, const std::string& folder,
                         const DownloadProgress& progress);

/// Gets the wheel of a requirement such as `recbole==1.2.1`, without what it depends on, with pip from
/// the sources that pip is set up for. Nothing is installed. Returns the path of the wheel.
/// Throws   DownloadError.
std::string download_wheel(const std::string& requirement, const std::string& folder,
                           const DownloadProgress& progress);

}  // namespace reckon
