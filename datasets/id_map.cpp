#include "datasets/id_map.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/ids.h"
#include "datasets/hash.h"

namespace reckon {
namespace {

constexpr size_t kMaxIds = 0x7ffffffe;

uint32_t tag_of(std::string_view raw) { return static_cast<uint32_t>(hash_bytes(raw) >> 32); }

}  // namespace

size_t IdMap::slot_of(std::string_view raw, uint32_t tag) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = tag & mask;; slot = (slot + 1) & mask) {
    const auto value = slots_[slot];
    if (value == 0) return slot;
    if (static_cast<uint32_t>(value >> 32) != tag) continue;
    const auto id = static_cast<uint32_t>(value) - 1;
    const auto begin = offsets_[id];
    if (std::string_view(bytes_).substr(begin, offsets_[id + 1] - begin) == raw) return slot;
  }
}

void IdMap::reserve_slots(size_t num_ids) {
  size_t wanted = slots_.empty() ? 64 : slots_.size();
  while (wanted < num_ids * 2) wanted *= 2;
  if (wanted == slots_.size()) return;
  slots_.assign(wanted, 0);
  const size_t mask = wanted - 1;
  for (int64_t id = 0; id < size(); ++id) {
    const auto tag = tag_of(raw(id));
    size_t slot = tag & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = (static_cast<uint64_t>(tag) << 32) | static_cast<uint64_t>(id + 1);
  }
}

int64_t IdMap::find(std::string_view raw) const {
  if (slots_.empty()) return kUnknownId;
  const auto value = slots_[slot_of(raw, tag_of(raw))];
  return value == 0 ? kUnknownId : static_cast<int64_t>(static_cast<uint32_t>(value)) - 1;
}

std::string_view IdMap::raw(int64_t dense) const {
  if (dense < 0 || dense >= size())
    throw std::out_of_range("id map: no dense id " + std::to_string(dense) + " among " +
                            std::to_string(size()));
  const auto begin = offsets_[static_cast<size_t>(dense)];
  return std::string_view(bytes_).substr(begin, offsets_[static_cast<size_t>(dense) + 1] - begin);
}

int64_t IdMap::add(std::string_view raw) {
  reserve_slots(offsets_.size());
  return add_with_tag(raw, tag_of(raw));
}

void IdMap::add(const std::string_view* raw, size_t count, int32_t* dense) {
  constexpr size_t kAtOnce = 32;
  std::array<uint32_t, kAtOnce> tags{};
  for (size_t begin = 0; begin < count; begin += kAtOnce) {
    const auto size = std::min(kAtOnce, count - begin);
    reserve_slots(offsets_.size() + size);
    for (size_t i = 0; i < size; ++i) {
      tags[i] = tag_of(raw[begin + i]);
      __builtin_prefetch(&slots_[tags[i] & (slots_.size() - 1)]);
    }
    for (size_t i = 0; i < size; ++i) {
      const auto slot = slots_[tags[i] & (slots_.size() - 1)];
      if (slot != 0) __builtin_prefetch(&offsets_[static_cast<uint32_t>(slot) - 1]);
    }
    for (size_t i = 0; i < size; ++i)
      dense[begin + i] = static_cast<int32_t>(add_with_tag(raw[begin + i], tags[i]));
  }
}

int64_t IdMap::add_with_tag(std::string_view raw, uint32_t tag) {
  auto& slot = slots_[slot_of(raw, tag)];
  if (slot != 0) return static_cast<int64_t>(static_cast<uint32_t>(slot)) - 1;
  const auto id = offsets_.size() - 1;
  if (id >= kMaxIds) throw std::length_error("id map: more than 2^31 - 2 ids");
  bytes_.append(raw);
  offsets_.push_back(bytes_.size());
  slot = (static_cast<uint64_t>(tag) << 32) | (id + 1);
  return static_cast<int64_t>(id);
}

std::vector<std::string> IdMap::to_vector() const {
  std::vector<std::string> ids;
  ids.reserve(static_cast<size_t>(size()));
  for (int64_t id = 0; id < size(); ++id) ids.emplace_back(raw(id));
  return ids;
}

IdMap IdMap::from_parts(std::string bytes, std::vector<uint64_t> offsets) {
  const auto fail = [](const std::string& what) { throw std::invalid_argument("id map: " + what); };
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != bytes.size())
    fail("offsets do not fit the bytes");
  if (offsets.size() - 1 > kMaxIds) fail("more than 2^31 - 2 ids");
  for (size_t i = 1; i < offsets.size(); ++i)
    if (offsets[i] < offsets[i - 1]) fail("offsets do not ascend");
  IdMap map;
  const size_t num_ids = offsets.size() - 1;
  size_t num_slots = 64;
  while (num_slots < num_ids * 2) num_slots *= 2;
  map.slots_.assign(num_slots, 0);
  map.bytes_ = std::move(bytes);
  map.offsets_ = std::move(offsets);
  for (size_t id = 0; id < num_ids; ++id) {
    const auto raw = map.raw(static_cast<int64_t>(id));
    const auto tag = tag_of(raw);
    auto& slot = map.slots_[map.slot_of(raw, tag)];
    if (slot != 0) fail("'" + std::string(raw) + "' stands twice");
    slot = (static_cast<uint64_t>(tag) << 32) | (id + 1);
  }
  return map;
}

IdMap IdMap::from_ids(const std::vector<std::string>& ids) {
  std::string bytes;
  std::vector<uint64_t> offsets = {0};
  for (const auto& id : ids) {
    bytes += id;
    offsets.push_back(bytes.size());
  }
  return from_parts(std::move(bytes), std::move(offsets));
}

}  // namespace reckon
