#include "datasets/id_collector.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "datasets/hash.h"

namespace reckon {
namespace {

constexpr int64_t kMostIds = 0x7ffffffe;
constexpr int64_t kMaxDirect = int64_t{1} << 24;
// What parse_plain_integer() takes; larger integers are texts wherever they come from.
constexpr int64_t kLargestPlain = 999999999999999999;
// Lookups in flight at once: enough to hide the memory behind each other.
constexpr size_t kAtOnce = 32;

size_t hash_of(int64_t value) {
  return static_cast<size_t>(fold_multiply(static_cast<uint64_t>(value), hash_detail::kMix[0]));
}

}  // namespace

bool parse_plain_integer(std::string_view text, int64_t& value) {
  constexpr size_t kMaxDigits = 18;
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kMaxDigits) return false;
  if (text.front() == '0' && (is_negative || text.size() > 1)) return false;
  int64_t number = 0;
  for (const char c : text) {
    const auto digit = static_cast<unsigned char>(c - '0');
    if (digit > 9) return false;
    number = number * 10 + digit;
  }
  value = is_negative ? -number : number;
  return true;
}

int32_t IdCollector::next(int64_t integer, int32_t text) {
  if (size() >= kMostIds) throw std::length_error("more than 2^31 - 2 ids");
  integers_.push_back(integer);
  text_of_.push_back(text);
  return static_cast<int32_t>(size());
}

void IdCollector::grow() {
  constexpr size_t kFewest = 1024;
  const auto old = std::move(hashed_);
  hashed_.assign(std::max(kFewest, old.size() * 2), Slot());
  const size_t mask = hashed_.size() - 1;
  for (const auto& slot : old) {
    if (slot.id == 0) continue;
    size_t place = hash_of(slot.integer) & mask;
    while (hashed_[place].id != 0) place = (place + 1) & mask;
    hashed_[place] = slot;
  }
}

// The caller gives an empty slot its id.
int32_t& IdCollector::slot_of(int64_t raw) {
  if (raw >= 0 && raw < kMaxDirect) {
    const auto place = static_cast<size_t>(raw);
    if (place >= direct_.size()) {
      const auto wanted = std::max(place + 1, direct_.size() * 2);
      direct_.resize(std::min(wanted, static_cast<size_t>(kMaxDirect)), 0);
    }
    return direct_[place];
  }
  if (num_hashed_ * 2 >= hashed_.size()) grow();
  const size_t mask = hashed_.size() - 1;
  size_t place = hash_of(raw) & mask;
  while (hashed_[place].id != 0 && hashed_[place].integer != raw) place = (place + 1) & mask;
  if (hashed_[place].id == 0) {
    hashed_[place].integer = raw;
    ++num_hashed_;
  }
  return hashed_[place].id;
}

int32_t IdCollector::add(int64_t raw) {
  if (raw > kLargestPlain || raw < -kLargestPlain)
    return add(std::string_view(std::to_string(raw)));
  auto& slot = slot_of(raw);
  if (slot == 0) slot = next(raw, -1);
  return slot - 1;
}

int32_t IdCollector::add(std::string_view raw) {
  int64_t integer = 0;
  if (parse_plain_integer(raw, integer)) return add(integer);
  const auto text = static_cast<size_t>(texts_.add(raw));
  if (text == id_of_text_.size()) id_of_text_.push_back(next(0, static_cast<int32_t>(text)) - 1);
  return id_of_text_[text];
}

void IdCollector::add_integers(const int64_t* raw, size_t count, int32_t* ids) {
  for (size_t begin = 0; begin < count; begin += kAtOnce) {
    const auto end = std::min(begin + kAtOnce, count);
    for (size_t i = begin; i < end; ++i) {
      const auto place = static_cast<size_t>(raw[i]);
      if (place < direct_.size())
        __builtin_prefetch(&direct_[place]);
      else if (!hashed_.empty())
        __builtin_prefetch(&hashed_[hash_of(raw[i]) & (hashed_.size() - 1)]);
    }
    for (size_t i = begin; i < end; ++i) ids[i] = add(raw[i]);
  }
}

// At most kAtOnce of them.
void IdCollector::add_texts(const std::string_view* raw, size_t count, int32_t* ids) {
  std::array<int64_t, kAtOnce> integers{};
  size_t num_integers = 0;
  for (size_t i = 0; i < count; ++i)
    num_integers += parse_plain_integer(raw[i], integers[i]) ? 1 : 0;
  if (num_integers == count) return add_integers(integers.data(), count, ids);
  if (num_integers > 0) {
    for (size_t i = 0; i < count; ++i) ids[i] = add(raw[i]);
    return;
  }
  texts_.add(raw, count, ids);
  for (size_t i = 0; i < count; ++i) {
    const auto text = static_cast<size_t>(ids[i]);
    if (text == id_of_text_.size()) id_of_text_.push_back(next(0, ids[i]) - 1);
    ids[i] = id_of_text_[text];
  }
}

void IdCollector::add(const ColumnValues& column, size_t num_rows, std::vector<int32_t>& ids) {
  ids.resize(num_rows);
  if (num_rows == 0) return;
  if (column.codes.size() == num_rows) {
    // Each entry of the dictionary is looked up once, in the order in which rows ask for it.
    remap_.assign(column.dictionary.size(), -1);
    for (size_t row = 0; row < num_rows; ++row) {
      const auto code = static_cast<size_t>(column.codes[row]);
      if (column.is_missing[row] != 0) {
        ids[row] = 0;
        continue;
      }
      if (remap_[code] < 0) remap_[code] = add(column.dictionary[code]);
      ids[row] = remap_[code];
    }
    return;
  }
  if (column.integers.size() == num_rows)
    return add_integers(column.integers.data(), num_rows, ids.data());
  for (size_t begin = 0; begin < num_rows; begin += kAtOnce)
    add_texts(column.text.data() + begin, std::min(kAtOnce, num_rows - begin), ids.data() + begin);
}

IdMap IdCollector::take() {
  IdMap map;
  if (texts_.size() == size()) {
    map = std::move(texts_);
  } else {
    map.reserve(static_cast<size_t>(size()));
    for (size_t id = 0; id < text_of_.size(); ++id)
      map.add(text_of_[id] < 0 ? std::to_string(integers_[id])
                               : std::string(texts_.raw(text_of_[id])));
  }
  *this = IdCollector();
  return map;
}

}  // namespace reckon
