#include "export/text_table.h"

#include <torch/types.h>

#include <limits>

#include "core/ids.h"
#include "export/script.h"

namespace reckon {
namespace {

// Rows of a page: small enough that cutting a row out of a page is cheap, large enough that a million
// rows are few strings.
constexpr int64_t kPageRows = 32;

// 31 bits, so that the product with the factor stays far below 2^63 in the interpreter's integers.
constexpr int64_t kHashSeed = 7;
constexpr int64_t kHashFactor = 1000003;
constexpr int64_t kHashMask = 0x7fffffff;

constexpr const char* kTextSource = R"(
def texts(self, rows: Tensor) -> List[str]:
    page = torch.floor_divide(rows, 32)
    base = self.offsets[page * 32]
    pages: List[int] = page.tolist()
    begins: List[int] = (self.offsets[rows] - base).tolist()
    ends: List[int] = (self.offsets[rows + 1] - base).tolist()
    out: List[str] = []
    for i in range(len(pages)):
        out.append(self.pages[pages[i]][begins[i]:ends[i]])
    return out
)";

constexpr const char* kFindSource = R"(
def find(self, ids: List[str]) -> Tensor:
    hashes: List[int] = []
    for id in ids:
        h = 7
        for c in id:
            h = (h * 1000003 + ord(c)) & 2147483647
        hashes.append(h)
    sought = torch.tensor(hashes, dtype=torch.int)
    if len(ids) == 0 or self.rows.size(0) == 0:
        return torch.full([len(ids)], -1, dtype=torch.long)
    first = torch.searchsorted(self.hashes, sought)
    last = torch.searchsorted(self.hashes, sought, right=True)
    guesses = self.rows[first.clamp(0, self.rows.size(0) - 1)].long()
    texts = self.texts(guesses)
    begins: List[int] = first.tolist()
    ends: List[int] = last.tolist()
    found: List[int] = guesses.tolist()
    for i in range(len(ids)):
        if texts[i] != ids[i]:
            found[i] = -1
            for j in range(begins[i] + 1, ends[i]):
                other = self.rows[j:j + 1].long()
                if self.texts(other)[0] == ids[i]:
                    found[i] = int(other)
    return torch.tensor(found, dtype=torch.long)
)";
static_assert(kPageRows == 32 && kHashSeed == 7 && kHashFactor == 1000003 &&
                  kHashMask == 2147483647 && kUnknownId == -1,
              "the numbers stand in the TorchScript sources too");

int32_t hash(std::string_view text) {
  int64_t h = kHashSeed;
  for (const char c : text) h = (h * kHashFactor + static_cast<unsigned char>(c)) & kHashMask;
  return static_cast<int32_t>(h);
}

}  // namespace

torch::jit::Module make_text_table(int64_t num_rows, const TextOfRow& text,
                                   const std::string& class_name,
                                   std::shared_ptr<torch::jit::CompilationUnit> unit) {
  auto offsets = torch::zeros({num_rows + 1}, torch::kLong);  // [R + 1]
  auto* offset = offsets.data_ptr<int64_t>();
  c10::List<std::string> pages;
  std::string page;
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto value = text(row);
    offset[row + 1] = offset[row] + static_cast<int64_t>(value.size());
    page += value;
    if ((row + 1) % kPageRows == 0 || row + 1 == num_rows) {
      pages.push_back(std::move(page));
      page.clear();
    }
  }
  torch::jit::Module table(c10::QualifiedName(class_name), std::move(unit), /*shouldMangle=*/true);
  table.register_attribute("training", c10::BoolType::get(), false);
  table.register_attribute("pages", c10::ListType::ofStrings(), pages);
  table.register_buffer("offsets", offsets);
  define_methods(table, kTextSource);
  return table;
}

torch::jit::Module make_id_table(int64_t num_rows, const TextOfRow& text,
                                 const std::string& class_name,
                                 std::shared_ptr<torch::jit::CompilationUnit> unit) {
  TORCH_CHECK(num_rows < std::numeric_limits<int32_t>::max(),
              "ids: too many to export: ", num_rows);
  auto table = make_text_table(num_rows, text, class_name, std::move(unit));
  auto unsorted = torch::empty({num_rows}, torch::kInt);  // [R]
  auto* value = unsorted.data_ptr<int32_t>();
  for (int64_t row = 0; row < num_rows; ++row) value[row] = hash(text(row));
  const auto [hashes, rows] = torch::sort(unsorted, /*stable=*/true, 0, /*descending=*/false);
  table.register_buffer("hashes", hashes);              // [R]
  table.register_buffer("rows", rows.to(torch::kInt));  // [R]
  define_methods(table, kFindSource);
  return table;
}

}  // namespace reckon
