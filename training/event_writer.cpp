#include "training/event_writer.h"

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/diagnostics.h"

namespace reckon {

namespace {

constexpr uint32_t kCastagnoli = 0x82f63b78;  // the polynomial, reversed

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? kCastagnoli : 0);
    table[i] = value;
  }
  return table;
}

// Checksums that stand in checksummed data are rotated and shifted, as TFRecord asks.
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

template <class T>
std::string fixed(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// Protocol buffers: a field is its number and wire type, then the value.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string field(uint64_t number, WireType type) { return varint(number << 3 | type); }
std::string field(uint64_t number, double value) { return field(number, kFixed64) + fixed(value); }
std::string field(uint64_t number, float value) { return field(number, kFixed32) + fixed(value); }
std::string field(uint64_t number, int64_t value) {
  return field(number, kVarint) + varint(static_cast<uint64_t>(value));
}
std::string field(uint64_t number, const std::string& bytes) {
  return field(number, kLength) + varint(bytes.size()) + bytes;
}

// Numbers of the fields in tensorboard/compat/proto/{event,summary}.proto.
constexpr uint64_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
constexpr uint64_t kSummaryValue = 1, kValueTag = 1, kValueSimple = 2, kSessionStatus = 1;
constexpr int64_t kSessionStart = 1;

double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = make_table();
  uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::string tf_record(std::string_view data) {
  const auto length = fixed<uint64_t>(data.size());
  return length + fixed(masked(crc32c(length))) + std::string(data) + fixed(masked(crc32c(data)));
}

std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars)
    summary += field(kSummaryValue,
                     field(kValueTag, tag) + field(kValueSimple, static_cast<float>(value)));
  return field(kWallTime, wall_time) + field(kStep, step) + field(kSummary, summary);
}

EventWriter::EventWriter(const std::string& directory, int64_t first_step) {
  namespace fs = std::filesystem;
  const auto seconds = static_cast<int64_t>(now());
  // Files are read in the order of their names; the last part keeps two of one second apart.
  for (int64_t n = 0;; ++n) {
    const auto name =
        "events.out.tfevents." + std::to_string(seconds) + ".reckon." + std::to_string(n);
    path_ = (fs::path(directory) / name).string();
    if (!fs::exists(path_)) break;
  }
  file_.open(path_, std::ios::binary);
  if (!file_) throw DataError(path_, 0, "the event file cannot be opened for writing");
  write(field(kWallTime, now()) + field(kFileVersion, std::string("brain.Event:2")));
  if (first_step > 0)
    write(field(kWallTime, now()) + field(kStep, first_step) +
          field(kSessionLog, field(kSessionStatus, kSessionStart)));
}

void EventWriter::write(const std::string& event) {
  file_ << tf_record(event);
  file_.flush();
  if (!file_) throw DataError(path_, 0, "the event file cannot be written");
}

void EventWriter::add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  if (!scalars.empty()) write(scalar_event(now(), step, scalars));
}

}  // namespace reckon
