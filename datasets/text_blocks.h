#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "datasets/mapped_file.h"

namespace reckon {

enum class Encoding { kUtf8, kLatin1 };

/// Whole lines of a text file, and the number of the first of them (from 1).
struct TextBlock {
  std::string_view text;
  int64_t first_line = 1;
  std::shared_ptr<const void> storage;  ///< Keeps `text` alive.
};

/// Cuts a text file into blocks of whole lines: decompressed where the name ends in `.gz`, in UTF-8,
/// without a byte order mark.
///
/// Plain UTF-8 files are memory-mapped and never copied.
class TextBlocks {
 public:
  /// Throws DataError when the file cannot be opened.
  TextBlocks(const std::string& path, Encoding encoding, size_t block_size = size_t{1} << 21);
  /// The same over text in memory; `name` stands in messages.
  TextBlocks(std::string_view text, const std::string& name, size_t block_size);
  TextBlocks(TextBlocks&&) noexcept;
  ~TextBlocks();

  /// False at the end. Throws DataError when the file is damaged.
  bool next(TextBlock& block);

 private:
  struct Decompressor;

  bool next_of_text(TextBlock& block);
  bool next_of_stream(TextBlock& block);

  std::string path_;
  size_t block_size_;
  Encoding encoding_ = Encoding::kUtf8;
  MappedFile file_;
  std::string_view rest_;
  std::unique_ptr<Decompressor> stream_;
  std::string carried_;  // the line that a decompressed block broke off in
  int64_t next_line_ = 1;
  bool is_first_ = true;
};

/// Latin-1 text as UTF-8; every byte is a character, so this cannot fail.
std::string utf8_from_latin1(std::string_view text);

/// Whether `text` is well-formed UTF-8.
bool is_utf8(std::string_view text);

/// `text` cut to a length that fits a message, with bytes that would garble a terminal replaced.
std::string excerpt(std::string_view text, size_t max_length = 80);

}  // namespace reckon
