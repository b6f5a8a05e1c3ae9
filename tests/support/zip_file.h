#pragma once

#include <zlib.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace reckon {

/// The bytes of a zip file with these entries, deflated or stored.
inline std::string make_zip(const std::vector<std::pair<std::string, std::string>>& entries,
                            bool deflated = true) {
  std::string out, directory;
  const auto put = [](std::string& to, uint64_t value, int width) {
    for (int i = 0; i < width; ++i) to += static_cast<char>(i < 8 ? value >> (8 * i) & 0xff : 0);
  };
  for (const auto& [name, bytes] : entries) {
    const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
    const auto crc = crc32(0, data, static_cast<uInt>(bytes.size()));
    std::string packed = bytes;
    if (deflated) {
      packed.resize(compressBound(bytes.size()) + 16);
      z_stream stream{};
      if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("deflateInit2");
      stream.next_in = const_cast<Bytef*>(data);
      stream.avail_in = static_cast<uInt>(bytes.size());
      stream.next_out = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_out = static_cast<uInt>(packed.size());
      deflate(&stream, Z_FINISH);
      packed.resize(stream.total_out);
      deflateEnd(&stream);
    }
    // Version, flags, method, time, date, CRC, sizes and the length of the name stand in both records.
    std::string common;
    put(common, 20, 2);
    put(common, 0, 2);
    put(common, deflated ? 8 : 0, 2);
    put(common, 0, 4);
    put(common, crc, 4);
    put(common, packed.size(), 4);
    put(common, bytes.size(), 4);
    put(common, name.size(), 2);
    put(common, 0, 2);

    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    directory += common;
    put(directory, 0, 10);
    put(directory, out.size(), 4);
    directory += name;

    put(out, 0x04034b50, 4);
    out += common + name + packed;
  }
  const auto start = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, entries.size(), 2);
  put(out, entries.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace reckon
