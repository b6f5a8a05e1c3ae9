#include "datasets/text_blocks.h"

#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>

#include <algorithm>
#include <cstring>

#include "core/diagnostics.h"

namespace reckon {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool ends_with_gz(const std::string& path) {
  return path.size() >= 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
}

int64_t count_lines(std::string_view text) { return std::count(text.begin(), text.end(), '\n'); }

// The end of the last whole line within `limit` bytes; where there is none, of the first one after.
size_t end_of_lines(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text.size();
  const auto before = text.rfind('\n', limit - 1);
  if (before != std::string_view::npos) return before + 1;
  const auto after = text.find('\n', limit);
  return after == std::string_view::npos ? text.size() : after + 1;
}

}  // namespace

struct TextBlocks::Decompressor {
  std::shared_ptr<arrow::util::Codec> codec;
  std::shared_ptr<arrow::io::InputStream> stream;
};

TextBlocks::TextBlocks(const std::string& path, Encoding encoding, size_t block_size)
    : path_(path), block_size_(block_size), encoding_(encoding), file_(path), rest_(file_.bytes()) {
  if (!ends_with_gz(path) || rest_.empty()) return;
  const auto open = [this]() -> arrow::Status {
    stream_ = std::make_unique<Decompressor>();
    ARROW_ASSIGN_OR_RAISE(stream_->codec, arrow::util::Codec::Create(arrow::Compression::GZIP));
    auto raw = std::make_shared<arrow::io::BufferReader>(std::make_shared<arrow::Buffer>(
        reinterpret_cast<const uint8_t*>(rest_.data()), static_cast<int64_t>(rest_.size())));
    ARROW_ASSIGN_OR_RAISE(stream_->stream,
                          arrow::io::CompressedInputStream::Make(stream_->codec.get(), raw));
    return arrow::Status::OK();
  };
  const auto status = open();
  if (!status.ok()) throw DataError(path, 0, "cannot be decompressed: " + status.message());
}

TextBlocks::TextBlocks(std::string_view text, const std::string& name, size_t block_size)
    : path_(name), block_size_(block_size), rest_(text) {}

TextBlocks::TextBlocks(TextBlocks&&) noexcept = default;
TextBlocks::~TextBlocks() = default;

bool TextBlocks::next(TextBlock& block) {
  const bool found = stream_ ? next_of_stream(block) : next_of_text(block);
  if (!found) return false;
  block.first_line = next_line_;
  next_line_ += count_lines(block.text);
  if (is_first_ && block.text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    block.text.remove_prefix(kByteOrderMark.size());
  is_first_ = false;
  if (encoding_ != Encoding::kLatin1) return true;
  auto converted = std::make_shared<const std::string>(utf8_from_latin1(block.text));
  block.text = *converted;
  block.storage = std::move(converted);
  return true;
}

bool TextBlocks::next_of_text(TextBlock& block) {
  if (rest_.empty()) return false;
  const auto size = end_of_lines(rest_, block_size_);
  block.text = rest_.substr(0, size);
  block.storage = file_.data();
  rest_.remove_prefix(size);
  return true;
}

bool TextBlocks::next_of_stream(TextBlock& block) {
  auto text = std::make_shared<std::string>(std::move(carried_));
  carried_.clear();
  for (;;) {
    const auto old_size = text->size();
    text->resize(old_size + block_size_);
    const auto read =
        stream_->stream->Read(static_cast<int64_t>(block_size_), text->data() + old_size);
    if (!read.ok()) throw DataError(path_, 0, "cannot be decompressed: " + read.status().message());
    text->resize(old_size + static_cast<size_t>(*read));
    if (*read == 0) break;
    const auto end = text->rfind('\n');
    if (end == std::string::npos) continue;
    carried_ = text->substr(end + 1);
    text->resize(end + 1);
    break;
  }
  if (text->empty()) return false;
  block.text = *text;
  block.storage = std::move(text);
  return true;
}

std::string utf8_from_latin1(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
      continue;
    }
    out.push_back(static_cast<char>(0xC0 | (byte >> 6)));
    out.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
  }
  return out;
}

bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    constexpr uint64_t kHighBits = 0x8080808080808080ULL;
    uint64_t word = 0;
    if (end - p >= 8 && (std::memcpy(&word, p, 8), (word & kHighBits) == 0)) {
      p += 8;
      continue;
    }
    if (*p < 0x80) {
      ++p;
      continue;
    }
    const int length = *p >= 0xC2 && *p <= 0xDF   ? 2
                       : (*p & 0xF0) == 0xE0      ? 3
                       : *p >= 0xF0 && *p <= 0xF4 ? 4
                                                  : 0;
    if (length == 0 || end - p < length) return false;
    for (int i = 1; i < length; ++i)
      if ((p[i] & 0xC0) != 0x80) return false;
    // Overlong forms, surrogates and what lies beyond U+10FFFF are not characters.
    if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) || (*p == 0xF0 && p[1] < 0x90) ||
        (*p == 0xF4 && p[1] > 0x8F))
      return false;
    p += length;
  }
  return true;
}

std::string excerpt(std::string_view text, size_t max_length) {
  const bool is_cut = text.size() > max_length;
  if (is_cut) text = text.substr(0, max_length);
  // A cut may split a character: drop its beginning.
  while (is_cut && !text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
    text.remove_suffix(1);
  if (is_cut && !text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0)
    text.remove_suffix(1);
  const bool keeps_bytes = is_utf8(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !keeps_bytes))
      out += '?';
    else
      out += c;
  }
  return is_cut ? out + "..." : out;
}

}  // namespace reckon
