#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reckon {

/// Name of the record that makes a TorchScript archive one of ours; its content is the JSON of
/// export/description.h, readable without loading the model.
inline constexpr const char* kDescriptionRecord = "reckon.json";

/// One record of an archive.
struct ArchiveRecord {
  std::string name;   ///< Without the archive's top folder, such as "data.pkl".
  uint64_t size = 0;  ///< Bytes once it is unpacked.
};

/// What stands in an exported file.
struct Archive {
  uint64_t size = 0;  ///< Bytes of the file.
  std::vector<ArchiveRecord> records;
  std::string description;  ///< The content of kDescriptionRecord.
};

/// Reads the table of a TorchScript archive and compares every record with its checksum.
///
/// LibTorch reads archives without looking at checksums and trusts what it unpickles, so that a
/// damaged file could crash it or quietly hold other weights; what passes here is what was written.
/// Throws   DataError when the file is missing, damaged, cut short, or not one of ours.
Archive check_archive(const std::string& path);

/// The same over bytes in memory; `path` is what messages say.
Archive check_archive(const std::string& path, const void* data, uint64_t size);

}  // namespace reckon
