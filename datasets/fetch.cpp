#include "datasets/fetch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/diagnostics.h"
#include "core/files.h"
#include "datasets/download.h"
#include "datasets/movielens.h"

namespace reckon {

namespace fs = std::filesystem;

namespace {

/// A folder for what is on its way, which one process at a time may have. It goes away in the end, and
/// what a killed process left in it goes first.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& path) : path_(path) {
    fs::create_directories(path);
    lock_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ < 0 || ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      if (lock_ >= 0) ::close(lock_);
      throw DataError(path, 0, "another reckon is fetching this data set");
    }
    for (const auto& entry : fs::directory_iterator(path)) fs::remove_all(entry.path());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    ::close(lock_);
  }

  std::string make_folder(const std::string& name) const {
    const auto folder = path_ + "/" + name;
    fs::create_directories(folder);
    return folder;
  }

 private:
  std::string path_;
  int lock_ = -1;
};

void report(const FetchOptions& options, const std::string& line) {
  if (options.report) options.report(line);
}

/// Whether every file is there as pinned. Throws DataError for one that differs.
bool is_there(const KnownDataset& dataset, const std::string& folder) {
  bool all = true;
  for (const auto& [name, checksum] : dataset.checksums) {
    const auto path = folder + "/" + name;
    if (!fs::exists(path)) {
      all = false;
    } else if (sha256_file(path) != checksum) {
      throw DataError(path, 0, "is not the file of " + dataset.name + " (its checksum differs)",
                      "--force replaces it");
    }
  }
  return all;
}

void verify(const KnownDataset& dataset, const DatasetFiles& files, const std::string& from) {
  for (const auto& [name, checksum] : dataset.checksums) {
    const auto found = files.find(name);
    const auto got = found == files.end() ? "nothing" : sha256_hex(found->second);
    if (got != checksum)
      throw DataError(from, 0,
                      name + " is not what is expected of " + dataset.name + ": SHA-256 " + got +
                          " instead of " + checksum);
  }
}

/// A source's archive, told by its marker, brought into the common form and verified.
DatasetFiles unpack(const KnownDataset& dataset, const std::string& path) {
  const auto archive = ZipArchive::open(path);
  std::vector<std::string> markers;
  for (const auto& source : dataset.sources) {
    markers.push_back(source.marker);
    if (!archive.contains(source.marker)) continue;
    auto files = source.normalize(archive);
    verify(dataset, files, path);
    return files;
  }
  throw DataError(path, 0,
                  "is not an archive of " + dataset.name + ": it has none of " + join(markers));
}

/// Asks the sources one after another. Throws DataError with every source's reason.
DatasetFiles download(const KnownDataset& dataset, const ScratchFolder& scratch,
                      const FetchOptions& options, std::string& from) {
  std::string reasons;
  for (size_t i = 0; i < dataset.sources.size(); ++i) {
    const auto& source = dataset.sources[i];
    const auto folder = scratch.make_folder(std::to_string(i));
    DownloadProgress progress;
    if (options.progress) progress = [&](int64_t bytes) { options.progress(bytes, source.size); };
    report(options, "asking " + source.what);
    try {
      const auto archive = source.url.empty() ? download_wheel(source.wheel, folder, progress)
                                              : download_url(source.url, folder, progress);
      auto files = unpack(dataset, archive);
      from = source.what;
      return files;
    } catch (const DownloadError& error) {
      reasons += std::string("\n  ") + error.what();
      report(options, error.what());
    } catch (const DataError& error) {
      // A proxy's page in place of the archive, say: the next source may be right.
      reasons += "\n  " + source.what + ": " + error.what();
      report(options, error.what());
    }
  }
  throw DataError(dataset.name, 0, "could not be fetched:" + reasons,
                  "get one of these by hand and name it with --archive FILE: " + join([&] {
                    std::vector<std::string> names;
                    for (const auto& source : dataset.sources)
                      names.push_back(source.url.empty() ? "the wheel " + source.wheel
                                                         : source.url);
                    return names;
                  }()));
}

}  // namespace

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> datasets = {movielens_100k()};
  return datasets;
}

const KnownDataset& known_dataset(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& dataset : known_datasets()) {
    if (dataset.name == name) return dataset;
    names.push_back(dataset.name);
  }
  throw ConfigError("no data set called '" + name + "' is known", suggest(name, names));
}

FetchResult fetch_dataset(const KnownDataset& dataset, const std::string& directory,
                          const FetchOptions& options) {
  FetchResult result;
  result.directory = (fs::path(directory) / dataset.name).string();
  for (const auto& [name, checksum] : dataset.checksums)
    result.files.push_back(result.directory + "/" + name);
  if (!options.force && is_there(dataset, result.directory)) {
    result.was_there = true;
    return result;
  }
  try {
    fs::create_directories(directory);
    const ScratchFolder scratch((fs::path(directory) / ("." + dataset.name + ".partial")).string());
    result.source = options.archive;
    const auto files = options.archive.empty() ? download(dataset, scratch, options, result.source)
                                               : unpack(dataset, options.archive);
    fs::create_directories(result.directory);
    for (const auto& [name, bytes] : files) write_file_atomic(result.directory + "/" + name, bytes);
  } catch (const fs::filesystem_error& error) {
    throw DataError(directory, 0, error.code().message());
  }
  return result;
}

}  // namespace reckon
