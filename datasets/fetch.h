#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datasets/zip_archive.h"

namespace reckon {

/// Files of a data set as they shall stand on disk, by name.
using DatasetFiles = std::map<std::string, std::string>;

/// One place a data set can come from: a zip file at a URL, or a wheel. Exactly one of `url` and
/// `wheel` is set.
struct DatasetSource {
  std::string what;  ///< Who has it, for messages.
  std::string url;
  std::string wheel;   ///< A requirement such as `recbole==1.2.1`.
  std::string marker;  ///< An entry that tells this source's archive from the others'.
  /// Brings the archive's files into the one form that every source leads to. Throws DataError.
  std::function<DatasetFiles(const ZipArchive&)> normalize;
  int64_t size = 0;  ///< Bytes of the archive, for progress; 0 where it is not known.
};

/// A public data set that can be fetched. No data set lies in reckon itself.
struct KnownDataset {
  std::string name;
  std::string description;  ///< One line: what it is, and how much.
  std::string terms;        ///< On what terms it may be used, and how to cite it.
  std::map<std::string, std::string> checksums;  ///< SHA-256 of each file, after normalize.
  std::vector<DatasetSource> sources;            ///< Tried in this order.
};

/// The data sets that `reckon data fetch` knows, by name.
const std::vector<KnownDataset>& known_datasets();
/// Throws   ConfigError, with the nearest name there is.
const KnownDataset& known_dataset(const std::string& name);

struct FetchOptions {
  bool force = false;   ///< Fetches even what is there.
  std::string archive;  ///< A zip file or wheel fetched by hand: nothing is downloaded.
  std::function<void(const std::string& line)> report;  ///< What happens, a line each.
  /// While bytes come; `total` is 0 where it is not known.
  std::function<void(int64_t bytes, int64_t total)> progress;
};

struct FetchResult {
  std::string directory;
  std::vector<std::string> files;  ///< Their paths.
  bool was_there = false;          ///< Nothing was fetched; the files have been verified.
  std::string source;              ///< Where they came from; empty when they were there.
};

/// Puts a data set's files into `directory`/<name>, each whole or not at all, and verified against
/// its pinned checksum. What is there and right is left alone.
///
/// Throws   DataError when no source answers (with each one's reason, and what to do by hand), when
/// what came is not what is pinned, or when a file is there that differs and `force` is not set.
FetchResult fetch_dataset(const KnownDataset& dataset, const std::string& directory,
                          const FetchOptions& options = {});

}  // namespace reckon
