#include "training/event_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"
#include "training/metrics_log.h"

namespace reckon::event_writer_test {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

class Folder {
 public:
  Folder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + info->test_suite_name() + "." + info->name();
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Test vectors of RFC 3720, appendix B.4.
TEST(Crc32c, AgreesWithTheVectorsOfTheStandard) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
    falling += static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
  EXPECT_EQ(crc32c(falling), 0x113fdb5cu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

// Put together by hand from the field numbers of event.proto and summary.proto.
TEST(EventWriter, AScalarIsTheMessageThatTheSchemaSays) {
  const auto expected = bytes({0x09, 0,    0,    0,    0,   0,   0, 0xf8, 0x3f,  // 1: double 1.5
                               0x10, 0xac, 0x02,                                 // 2: varint 300
                               0x2a, 0x0d,                        // 5: summary, 13 bytes
                               0x0a, 0x0b,                        // 1: value, 11 bytes
                               0x0a, 0x04, 'l',  'o',  's', 's',  // 1: tag
                               0x15, 0,    0,    0x80, 0x3e});    // 2: float 0.25
  EXPECT_EQ(scalar_event(1.5, 300, {{"loss", 0.25}}), expected);
}

TEST(EventWriter, ARecordIsLengthAndDataEachWithItsMaskedChecksum) {
  const auto record = tf_record("123456789");
  ASSERT_EQ(record.size(), 8u + 4u + 9u + 4u);
  EXPECT_EQ(record.substr(0, 8), bytes({9, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(record.substr(12, 9), "123456789");
  // ((crc >> 15) | (crc << 17)) + 0xa282ead8 of 0xe3069283 is 0xc78ab0e5.
  EXPECT_EQ(record.substr(21), bytes({0xe5, 0xb0, 0x8a, 0xc7}));
}

TEST(EventWriter, AFileBeginsWithItsVersionAndEveryRecordIsWhole) {
  const Folder folder;
  EventWriter writer(folder.path(), 41);
  writer.add(7, {{"a", 1.0}, {"b", -2.0}});
  const auto text = read_file(writer.path());
  std::vector<std::string> records;
  for (size_t at = 0; at < text.size();) {
    uint64_t length = 0;
    std::memcpy(&length, text.data() + at, sizeof(length));
    ASSERT_LE(at + 16 + length, text.size());
    records.push_back(text.substr(at + 12, length));
    EXPECT_EQ(text.substr(at, 16 + length), tf_record(records.back()));
    at += 16 + length;
  }
  ASSERT_EQ(records.size(), 3u);
  EXPECT_NE(records[0].find("brain.Event:2"), std::string::npos);
  EXPECT_EQ(records[1].substr(9), bytes({0x10, 41, 0x3a, 0x02, 0x08, 0x01}))
      << "session start at step 41";
  EXPECT_EQ(records[2].substr(9, 2), bytes({0x10, 7}));
}

TEST(EventWriter, TwoFilesOfOneSecondDoNotMeet) {
  const Folder folder;
  const EventWriter first(folder.path(), 0), second(folder.path(), 0);
  EXPECT_NE(first.path(), second.path());
}

TEST(MetricsLog, GoesBackToTheLinesOfTheCheckpoint) {
  const Folder folder;
  {
    MetricsLog log(folder.file("metrics.jsonl"), 0);
    for (const char* line : {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"}) log.write(line);
    EXPECT_EQ(log.num_lines(), 3);
  }
  MetricsLog resumed(folder.file("metrics.jsonl"), 2);
  EXPECT_EQ(resumed.num_lines(), 2);
  resumed.write("{\"b\":3}");
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")), "{\"a\":1}\n{\"a\":2}\n{\"b\":3}\n");
}

TEST(MetricsLog, ALineThatWasCutOffIsNotKept) {
  const Folder folder;
  write_file_atomic(folder.file("metrics.jsonl"), "{\"a\":1}\n{\"a\":");
  MetricsLog log(folder.file("metrics.jsonl"), 5);
  EXPECT_EQ(log.num_lines(), 1);
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")), "{\"a\":1}\n");
}

TEST(MetricsLog, ANewRunBeginsEmpty) {
  const Folder folder;
  write_file_atomic(folder.file("metrics.jsonl"), "{\"a\":1}\n");
  const MetricsLog log(folder.file("metrics.jsonl"), 0);
  EXPECT_EQ(read_file(folder.file("metrics.jsonl")), "");
}

}  // namespace
}  // namespace reckon::event_writer_test
