#include "datasets/cache_file.h"

#include <cstring>

#include "core/diagnostics.h"

namespace reckon {
namespace {

// The digit is the version of the layout: a change of it makes old files foreign, hence rebuilt.
constexpr std::string_view kMark = "reckon dataset 3";
constexpr uint64_t kAlignment = 64;
constexpr size_t kNumbersSize = 3 * sizeof(uint64_t);

std::string_view bytes_of(const uint64_t* numbers, size_t count) {
  return {reinterpret_cast<const char*>(numbers), count * sizeof(uint64_t)};
}

uint64_t number_at(std::string_view bytes, size_t position) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + position, sizeof number);
  return number;
}

}  // namespace

SectionWriter::SectionWriter(AtomicFile& file) : file_(file) { write(kMark); }

void SectionWriter::write(std::string_view bytes) {
  file_.write(bytes);
  position_ += bytes.size();
}

void SectionWriter::add(const std::string& name, std::string_view bytes) {
  const auto padding = (kAlignment - position_ % kAlignment) % kAlignment;
  write(std::string(padding, '\0'));
  sections_.push_back({name, position_, bytes.size(), hash64(bytes)});
  write(bytes);
}

void SectionWriter::finish() {
  std::string table;
  for (const auto& section : sections_) {
    const uint64_t numbers[] = {section.name.size(), section.offset, section.size,
                                section.checksum};
    table += bytes_of(numbers, 4);
    table += section.name;
  }
  const uint64_t tail[] = {position_, table.size(), hash64(table)};
  write(table);
  write(bytes_of(tail, 3));
  write(kMark);
}

SectionReader::SectionReader(const std::string& path, Check check)
    : path_(path), file_(path), check_(check) {
  const auto bytes = file_.bytes();
  const auto fail = [&path](const char* what) { throw DataError(path, 0, what); };
  if (bytes.substr(0, kMark.size()) != kMark) fail("is not a cache file of this version");
  if (bytes.size() < 2 * kMark.size() + kNumbersSize ||
      bytes.substr(bytes.size() - kMark.size()) != kMark)
    fail("broke off");
  const auto tail = bytes.size() - kMark.size() - kNumbersSize;
  const auto table_begin = number_at(bytes, tail);
  const auto table_size = number_at(bytes, tail + 8);
  if (table_begin > tail || table_size != tail - table_begin) fail("has a damaged table");
  const auto table = bytes.substr(table_begin, table_size);
  if (hash64(table) != number_at(bytes, tail + 16)) fail("has a damaged table");
  for (size_t place = 0; place < table.size();) {
    const auto name_size = number_at(table, place);
    const auto offset = number_at(table, place + 8), size = number_at(table, place + 16);
    const auto checksum = number_at(table, place + 24);
    const std::string name(table.substr(place + 32, name_size));
    place += 32 + name_size;
    if (offset > table_begin || size > table_begin - offset) fail("has a damaged table");
    const auto& section = sections_[name] = {bytes.substr(offset, size), checksum};
    if (check == Check::kAll) require_whole(name, section);
  }
}

void SectionReader::require_whole(const std::string& name, const Section& section) const {
  if (hash64(section.bytes) != section.checksum)
    throw DataError(path_, 0, "section " + name + " is damaged");
}

std::string_view SectionReader::at(const std::string& name) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) throw DataError(path_, 0, "has no section " + name);
  if (check_ == Check::kWhenRead) require_whole(name, found->second);
  return found->second.bytes;
}

}  // namespace reckon
