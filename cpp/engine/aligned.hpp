// Memory aligned for the widest vectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace leafshap {

template <typename T>
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t size)
      : size_(size), data_(static_cast<T*>(::operator new(size * sizeof(T), kAlignment))) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  void clear() { std::fill_n(data_.get(), size_, T{}); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kAlignment); }
  };
  std::size_t size_;
  std::unique_ptr<T, Free> data_;
};

}  // namespace leafshap
