#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/random.h"

namespace reckon {

namespace {

// SHA-256 as FIPS 180-4 gives it: the first 32 bits of the fractional parts of the cube roots of the
// first 64 primes, and of the square roots of the first eight.
constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr size_t kBlockSize = 64;

class Sha256 {
 public:
  void update(std::string_view bytes) {
    total_ += bytes.size();
    while (!bytes.empty()) {
      const auto taken = std::min(kBlockSize - filled_, bytes.size());
      std::memcpy(block_.data() + filled_, bytes.data(), taken);
      bytes.remove_prefix(taken);
      filled_ += taken;
      if (filled_ < kBlockSize) return;
      digest_block();
      filled_ = 0;
    }
  }

  std::string finish() {
    const uint64_t num_bits = total_ * 8;
    constexpr size_t kLengthPlace = kBlockSize - 8;
    std::string padding = "\x80";
    const auto used = (filled_ + 1) % kBlockSize;
    padding.append((kLengthPlace + kBlockSize - used) % kBlockSize, '\0');
    for (int shift = 56; shift >= 0; shift -= 8) padding += static_cast<char>(num_bits >> shift);
    update(padding);
    static const char* const kHex = "0123456789abcdef";
    std::string digest;
    for (const auto word : state_)
      for (int shift = 28; shift >= 0; shift -= 4) digest += kHex[(word >> shift) & 15];
    return digest;
  }

 private:
  void digest_block() {
    std::array<uint32_t, 64> w{};
    for (size_t i = 0; i < 16; ++i)
      for (size_t j = 0; j < 4; ++j) w[i] = (w[i] << 8) | block_[4 * i + j];
    for (size_t i = 16; i < 64; ++i) {
      const auto s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const auto s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (size_t i = 0; i < 64; ++i) {
      const auto s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const auto t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
      const auto s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const auto t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    const std::array<uint32_t, 8> added = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < state_.size(); ++i) state_[i] += added[i];
  }

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, kBlockSize> block_{};
  size_t filled_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_file(const std::string& path) {
  const auto fail = [&] {
    throw DataError(path, 0, std::string("cannot be read: ") + std::strerror(errno));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail();
  constexpr size_t kChunk = 1 << 20;
  std::string chunk(kChunk, '\0');
  Sha256 hash;
  ssize_t got = 0;
  while ((got = ::read(file, chunk.data(), chunk.size())) > 0)
    hash.update(std::string_view(chunk).substr(0, static_cast<size_t>(got)));
  const int error = errno;
  ::close(file);
  errno = error;
  if (got < 0) fail();
  return hash.finish();
}

uint64_t hash64(std::string_view bytes, uint64_t seed) {
  // Four lanes, so that the multiplications of a long text do not wait for each other.
  std::array<uint64_t, 4> lanes = {mix64(seed + 1), mix64(seed + 2), mix64(seed + 3),
                                   mix64(seed + 4)};
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ULL;
  const auto size = bytes.size();
  const auto take = [&bytes](uint64_t& state, size_t taken) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), taken);
    bytes.remove_prefix(taken);
    state = std::rotl((state ^ word) * kOdd, 29);
    state ^= state >> 32;
  };
  constexpr auto kWord = sizeof(uint64_t);
  while (bytes.size() >= lanes.size() * kWord)
    for (auto& state : lanes) take(state, kWord);
  for (size_t lane = 0; !bytes.empty(); ++lane) take(lanes[lane], std::min(kWord, bytes.size()));
  uint64_t hash = mix64(size ^ seed);
  for (const auto state : lanes) hash = mix64((hash ^ state) * kOdd + state);
  return hash;
}

}  // namespace reckon
