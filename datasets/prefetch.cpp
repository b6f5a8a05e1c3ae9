#include "datasets/prefetch.h"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace reckon {

struct Prefetcher::Impl {
  // A batch that is being built or has been, by the number of its step over all epochs.
  struct Slot {
    bool is_ready = false;
    StepBatch batch;
    std::exception_ptr error;
  };

  Impl(const BatchBuilder& builder, int64_t num_threads)
      : builder(builder), steps_per_epoch(builder.steps_per_epoch()), ahead(2 * num_threads) {
    for (int64_t i = 0; i < num_threads; ++i) threads.emplace_back([this] { work(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    for (auto& thread : threads) thread.join();
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] {
        return stop || (next_to_build >= 0 && next_to_build < next_to_take + ahead);
      });
      if (stop) return;
      const int64_t number = next_to_build++;
      const int64_t my_generation = generation;
      slots[number];
      lock.unlock();
      Slot built;
      try {
        built.batch = builder.build(number / steps_per_epoch, number % steps_per_epoch);
      } catch (...) {
        built.error = std::current_exception();
      }
      built.is_ready = true;
      lock.lock();
      // The caller may have gone elsewhere meanwhile; then nobody asks for this one.
      if (my_generation == generation) slots[number] = std::move(built);
      changed.notify_all();
    }
  }

  StepBatch take(int64_t number) {
    std::unique_lock lock(mutex);
    if (next_to_build < 0 || number != next_to_take) {
      ++generation;
      slots.clear();
      next_to_build = number;
    }
    next_to_take = number;
    changed.notify_all();
    changed.wait(lock, [&] {
      const auto slot = slots.find(number);
      return slot != slots.end() && slot->second.is_ready;
    });
    auto slot = std::move(slots[number]);
    slots.erase(number);
    next_to_take = number + 1;
    changed.notify_all();
    lock.unlock();
    if (slot.error) std::rethrow_exception(slot.error);
    return std::move(slot.batch);
  }

  const BatchBuilder& builder;
  const int64_t steps_per_epoch;
  const int64_t ahead;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<int64_t, Slot> slots;
  int64_t next_to_build = -1;  // none until the first take()
  int64_t next_to_take = 0;
  int64_t generation = 0;
  bool stop = false;
  std::vector<std::thread> threads;
};

Prefetcher::Prefetcher(const BatchBuilder& builder, int64_t threads)
    : impl_(std::make_unique<Impl>(builder, threads)) {}

Prefetcher::~Prefetcher() = default;

StepBatch Prefetcher::take(int64_t epoch, int64_t step) {
  if (impl_->threads.empty()) return impl_->builder.build(epoch, step);
  return impl_->take(epoch * impl_->steps_per_epoch + step);
}

}  // namespace reckon
