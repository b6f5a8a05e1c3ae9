#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reckon {

/// Raw text ids and the dense integers 0, 1, ..., size() - 1 that stand for them.
///
/// Append-only: a dense id never changes its meaning, so weights, caches and exported files that
/// were made with a shorter map stay valid under a longer one. Reading from several threads is safe
/// while nobody adds.
class IdMap {
 public:
  int64_t size() const { return static_cast<int64_t>(offsets_.size()) - 1; }

  /// The dense id of `raw`, or kUnknownId (core/ids.h).
  int64_t find(std::string_view raw) const;

  /// The raw id of a dense one. Throws std::out_of_range outside [0, size()).
  std::string_view raw(int64_t dense) const;

  /// The dense id of `raw`, which is appended when it is new.
  /// Throws std::length_error beyond 2^31 - 2 ids.
  int64_t add(std::string_view raw);

  /// The same for several, whose lookups wait for memory together.
  void add(const std::string_view* raw, size_t count, int32_t* dense);

  /// Makes room for `num_ids` ids in all.
  void reserve(size_t num_ids) { reserve_slots(num_ids); }

  std::vector<std::string> to_vector() const;

  /// All raw ids behind one another, and where each begins (size() + 1 entries): what is stored.
  const std::string& bytes() const { return bytes_; }
  const std::vector<uint64_t>& offsets() const { return offsets_; }

  /// Rebuilds a stored map. Throws std::invalid_argument when the offsets do not fit the bytes or an
  /// id stands twice.
  static IdMap from_parts(std::string bytes, std::vector<uint64_t> offsets);
  static IdMap from_ids(const std::vector<std::string>& ids);

 private:
  // Where `raw` is or belongs: an index into slots_, whose size is a power of two.
  size_t slot_of(std::string_view raw, uint32_t tag) const;
  void reserve_slots(size_t num_ids);
  int64_t add_with_tag(std::string_view raw, uint32_t tag);

  std::string bytes_;
  std::vector<uint64_t> offsets_ = {0};
  // Open addressing. A slot holds the id plus one in its low half (0: empty) and hash bits in its
  // high half, so that most other ids are told apart without looking at their text.
  std::vector<uint64_t> slots_;
};

}  // namespace reckon
