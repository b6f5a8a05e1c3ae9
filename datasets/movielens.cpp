#include "datasets/movielens.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "core/diagnostics.h"

namespace reckon {

namespace {

constexpr std::string_view kInteractionsHead = "user\titem\trating\ttimestamp\n";
constexpr std::string_view kItemsHead = "item\ttitle\tyear\tgenres\n";
constexpr std::string_view kUsersHead = "user\tage\tgender\toccupation\tzip\n";

/// The publisher's genres, in the order of the columns of `u.item`.
constexpr std::array<std::string_view, 19> kGenres = {
    "unknown",     "Action", "Adventure", "Animation", "Children's", "Comedy",  "Crime",
    "Documentary", "Drama",  "Fantasy",   "Film-Noir", "Horror",     "Musical", "Mystery",
    "Romance",     "Sci-Fi", "Thriller",  "War",       "Western"};

constexpr const char* kPublisher = "ml-100k/";
constexpr const char* kWheel = "recbole/dataset_example/ml-100k/ml-100k.";

using Fields = std::vector<std::string_view>;

/// Calls `use` with the fields of every line. Throws DataError for a line without `count` fields.
void for_each_row(const std::string& name, std::string_view text, char separator, size_t count,
                  const std::function<void(const Fields&)>& use) {
  int64_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto whole = line;
    Fields fields;
    for (;;) {
      const auto next = line.find(separator);
      fields.push_back(line.substr(0, next));
      if (next == std::string_view::npos) break;
      line.remove_prefix(next + 1);
    }
    if (fields.size() != count)
      throw DataError(name, number,
                      "expected " + std::to_string(count) + " fields, got " +
                          std::to_string(fields.size()) + ": " + std::string(whole));
    use(fields);
  }
}

std::string utf8_from_latin1(std::string_view text) {
  std::string out;
  for (const char raw : text) {
    const auto c = static_cast<unsigned char>(raw);
    if (c < 0x80) {
      out += raw;
    } else {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3f));
    }
  }
  return out;
}

std::string_view without_trailing_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

/// The digits of the last `(1995)` in a title, or nothing.
std::string_view year_of(std::string_view title) {
  for (size_t at = title.rfind('('); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : title.rfind('(', at - 1)) {
    const auto year = title.substr(at + 1, 4);
    const bool is_number =
        std::all_of(year.begin(), year.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (year.size() == 4 && is_number && title.substr(at + 5, 1) == ")") return year;
  }
  return {};
}

void add_row(std::string& out, const Fields& fields) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out += '\t';
    out += fields[i];
  }
  out += '\n';
}

/// The publisher's own files: `|` between fields, latin-1, one column per genre, the year in the title.
DatasetFiles from_publisher(const ZipArchive& archive) {
  const auto name = [](const char* file) { return kPublisher + std::string(file); };
  std::string interactions(kInteractionsHead), items(kItemsHead), users(kUsersHead);
  for_each_row(name("u.data"), archive.read(name("u.data")), '\t', 4,
               [&](const Fields& row) { add_row(interactions, row); });
  for_each_row(name("u.item"), archive.read(name("u.item")), '|', 5 + kGenres.size(),
               [&](const Fields& row) {
                 const auto title = utf8_from_latin1(without_trailing_blanks(row[1]));
                 std::string genres;
                 for (size_t i = 0; i < kGenres.size(); ++i) {
                   if (row[5 + i] != "1") continue;
                   if (!genres.empty()) genres += '|';
                   genres += kGenres[i];
                 }
                 add_row(items, {row[0], title, year_of(title), genres});
               });
  for_each_row(name("u.user"), archive.read(name("u.user")), '|', 5,
               [&](const Fields& row) { add_row(users, row); });
  return {{"interactions.tsv", interactions}, {"items.tsv", items}, {"users.tsv", users}};
}

/// RecBole's copy: a head with types, UTF-8, genres in one column, and what stood in the last
/// parentheses of the title (the year, once "V") in a column of its own.
DatasetFiles from_wheel(const ZipArchive& archive) {
  const auto name = [](const char* file) { return kWheel + std::string(file); };
  std::string interactions(kInteractionsHead), items(kItemsHead), users(kUsersHead);
  const auto for_each_record = [&](const char* file, size_t count,
                                   const std::function<void(const Fields&)>& use) {
    bool is_head = true;
    for_each_row(name(file), archive.read(name(file)), '\t', count, [&](const Fields& row) {
      if (!is_head) use(row);
      is_head = false;
    });
  };
  for_each_record("inter", 4, [&](const Fields& row) { add_row(interactions, row); });
  for_each_record("item", 4, [&](const Fields& row) {
    // The one film without a title is misspelt there.
    const auto title = row[2] == "unkonwn" ? std::string("unknown")
                                           : std::string(row[1]) + " (" + std::string(row[2]) + ")";
    std::string genres(row[3]);
    std::replace(genres.begin(), genres.end(), ' ', '|');
    add_row(items, {row[0], title, year_of(title), genres});
  });
  for_each_record("user", 5, [&](const Fields& row) { add_row(users, row); });
  return {{"interactions.tsv", interactions}, {"items.tsv", items}, {"users.tsv", users}};
}

}  // namespace

KnownDataset movielens_100k() {
  KnownDataset dataset;
  dataset.name = "ml-100k";
  dataset.description =
      "MovieLens 100K: 100,000 ratings (1 to 5) of 1,682 films by 943 users, 1997-1998";
  dataset.terms =
      "MovieLens 100K is made by the GroupLens Research Project, University of Minnesota.\n"
      "It may be used for research, on these terms:\n"
      "  - do not say or suggest that the university or GroupLens endorses you;\n"
      "  - acknowledge the data set in publications that use it:\n"
      "    F. M. Harper, J. A. Konstan: The MovieLens Datasets: History and Context.\n"
      "    ACM TiiS 5, 4 (2015), doi:10.1145/2827872;\n"
      "  - do not redistribute it without separate permission;\n"
      "  - do not use it commercially without permission of a GroupLens faculty member.\n"
      "In full: https://files.grouplens.org/datasets/movielens/ml-100k-README.txt";
  dataset.checksums = {
      {"interactions.tsv", "5344e217a76268fedbfb1552741c89ab9281ccd7bfd3ea43a11bddafb11a55bc"},
      {"items.tsv", "8724836f32f36760850f579a7abadafd06286cfbdea9a13c644a652a9d02c0ed"},
      {"users.tsv", "fa3ef742d6186a760d6eed98bee5ebd6a7b177978ab16cc5821704097040f9a2"}};
  dataset.sources = {{.what = "its publisher",
                      .url = "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                      .wheel = "",
                      .marker = kPublisher + std::string("u.data"),
                      .normalize = from_publisher,
                      .size = 4924029},
                     {.what = "the wheel recbole 1.2.1",
                      .url = "",
                      .wheel = "recbole==1.2.1",
                      .marker = kWheel + std::string("inter"),
                      .normalize = from_wheel,
                      .size = 2130151}};
  return dataset;
}

}  // namespace reckon
