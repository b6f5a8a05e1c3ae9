#include "export/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>

#include <chrono>
#include <cstdio>
#include <sstream>

#include "core/ids.h"

namespace reckon::text_table_test {
namespace {

using Ids = std::vector<std::string>;

TextOfRow rows_of(const Ids& ids) {
  return [&ids](int64_t row) { return std::string_view(ids[row]); };
}

torch::jit::Module id_table(const Ids& ids) {
  return make_id_table(static_cast<int64_t>(ids.size()), rows_of(ids), "__torch__.Ids",
                       std::make_shared<torch::jit::CompilationUnit>());
}

c10::List<std::string> list(const Ids& ids) {
  c10::List<std::string> out;
  for (const auto& id : ids) out.push_back(id);
  return out;
}

std::vector<int64_t> find(torch::jit::Module& table, const Ids& ids) {
  const auto rows = table.get_method("find")({list(ids)}).toTensor().contiguous();
  return {rows.data_ptr<int64_t>(), rows.data_ptr<int64_t>() + rows.numel()};
}

Ids texts(torch::jit::Module& table, const std::vector<int64_t>& rows) {
  Ids out;
  const auto got = table.get_method("texts")({torch::tensor(rows, torch::kLong)});
  for (const c10::IValue& text : got.toListRef()) out.push_back(text.toStringRef());
  return out;
}

torch::jit::Module reloaded(const torch::jit::Module& table) {
  std::stringstream bytes;
  table.save(bytes);
  return torch::jit::load(bytes);
}

TEST(TextTable, GivesBackEveryTextAtAnyNumberOfRows) {
  for (const int64_t size : {1, 2, 31, 32, 33, 64, 1000}) {
    Ids ids;
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < size; ++i) {
      ids.push_back(std::string(static_cast<size_t>(i % 7), 'x') + std::to_string(i));
      rows.push_back(i);
    }
    auto table = reloaded(id_table(ids));
    EXPECT_EQ(texts(table, rows), ids) << "size=" << size;
    EXPECT_EQ(find(table, ids), rows) << "size=" << size;
  }
}

TEST(TextTable, KeepsBytesThatAreNotAscii) {
  const Ids ids = {
      "", "f\xC3\xBCr Elise", "\xE6\x97\xA5\xE6\x9C\xAC", std::string("a\0b", 3), "\xFF\xFE", "a"};
  auto table = reloaded(id_table(ids));
  EXPECT_EQ(texts(table, {0, 1, 2, 3, 4, 5}), ids);
  EXPECT_EQ(find(table, ids), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(find(table, {"f\xC3", "b", std::string("a\0", 2)}),
            (std::vector<int64_t>{kUnknownId, kUnknownId, kUnknownId}));
}

TEST(TextTable, FindsNothingInAnEmptyTableAndNothingForNothing) {
  auto empty = reloaded(id_table({}));
  EXPECT_EQ(find(empty, {"a", ""}), (std::vector<int64_t>{kUnknownId, kUnknownId}));
  auto table = id_table({"a"});
  EXPECT_TRUE(find(table, {}).empty());
}

// Ids with the same hash: after the first byte h becomes (7 F + c), and c F + d = (c + 1) F + d - F,
// which needs bytes beyond 255; so the collision is sought among many ids instead.
TEST(TextTable, TellsApartIdsWithTheSameHash) {
  const auto hash = [](const std::string& text) {
    int64_t h = 7;
    for (const char c : text) h = (h * 1000003 + static_cast<unsigned char>(c)) & 0x7fffffff;
    return h;
  };
  std::map<int64_t, std::string> seen;
  std::string first, second;
  for (int64_t i = 0; first.empty() && i < 2000000; ++i) {
    // Long multiplication spreads short numbers evenly over 31 bits.
    const auto text = std::to_string(i * 2654435761 % 1000000007) + "q" + std::to_string(i);
    const auto [other, is_new] = seen.emplace(hash(text), text);
    if (!is_new) first = other->second, second = text;
  }
  ASSERT_FALSE(first.empty());
  ASSERT_EQ(hash(first), hash(second));
  auto table = id_table({"x", first, "y", second, "z"});
  EXPECT_EQ(find(table, {second, first, "z"}), (std::vector<int64_t>{3, 1, 4}));
  auto only_one = id_table({"x", first});
  EXPECT_EQ(find(only_one, {second, first}), (std::vector<int64_t>{kUnknownId, 1}));
}

// Prints and asserts no time: what a million ids cost is a figure for the README.
TEST(TextTable, HoldsAMillionIds) {
  Ids ids;
  for (int64_t i = 0; i < 1000000; ++i)
    ids.push_back("item-" + std::to_string(i * 7919 % 1000000007));
  const auto ms = [](auto begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
  };
  auto begin = std::chrono::steady_clock::now();
  const auto table = id_table(ids);
  std::stringstream bytes;
  table.save(bytes);
  const auto made = ms(begin);
  begin = std::chrono::steady_clock::now();
  auto loaded = torch::jit::load(bytes);
  const auto load = ms(begin);
  Ids asked;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 1000; ++i) rows.push_back(i * 997), asked.push_back(ids[rows.back()]);
  begin = std::chrono::steady_clock::now();
  EXPECT_EQ(find(loaded, asked), rows);
  const auto found = ms(begin);
  begin = std::chrono::steady_clock::now();
  EXPECT_EQ(texts(loaded, rows), asked);
  std::printf(
      "1,000,000 ids: %.1f MB, made and saved in %.0f ms, loaded in %.0f ms; 1,000 found in "
      "%.1f ms, named in %.1f ms\n",
      static_cast<double>(bytes.str().size()) / 1e6, made, load, found, ms(begin));
}

}  // namespace
}  // namespace reckon::text_table_test
