#include "engine/background_engine.hpp"

#include <algorithm>

#include "error.hpp"
#include "ir/predict.hpp"

namespace leafshap {
namespace {

// Tables that are made anew for every call: small enough for the last-level cache to help.
constexpr std::size_t kStreamedBytes = std::size_t{64} << 20;

std::vector<GroupRange> choose_ranges(const PatternPlan& plan, std::size_t value_bytes,
                                      std::size_t memory_limit) {
  if (plan.table_size() * value_bytes <= memory_limit) {
    return ranges_of_groups(plan, value_bytes, memory_limit);
  }
  return ranges_of_groups(plan, value_bytes, std::min(memory_limit, kStreamedBytes));
}

Index count_rows(const Rows& rows) {
  return std::visit([](const auto& view) { return view.n_rows; }, rows);
}

}  // namespace

template <typename T>
BackgroundExplainer<T>::BackgroundExplainer(std::shared_ptr<const TreeEnsemble> ensemble,
                                            Index n_trees, Background background,
                                            const BackgroundOptions& options)
    : ensemble_(std::move(ensemble)),
      background_(std::move(background)),
      plan_(ensemble_, n_trees,
            PatternOptions{options.method, background_.n_rows(), options.interactions, sizeof(T)}),
      ranges_(choose_ranges(plan_, sizeof(T), options.memory_limit)) {}

template <typename T>
template <typename Use>
void BackgroundExplainer<T>::for_ranges(int n_threads, Cancellation& cancellation, Use&& use) {
  if (keeps_tables()) {
    build(n_threads, cancellation);
    std::shared_ptr<BackgroundTables<T>> tables;
    {
      const std::lock_guard lock(mutex_);
      tables = kept_;
    }
    if (tables) use(*tables);
    return;
  }
  std::vector<double> expected = plan_.constant();
  for (const GroupRange range : ranges_) {
    BackgroundTables<T> tables(plan_, range);
    tables.build(background_, n_threads, cancellation);
    for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += tables.expectation()[k];
    use(tables);
  }
  const std::lock_guard lock(mutex_);
  expected_ = expected;
}

template <typename T>
void BackgroundExplainer<T>::build(int n_threads, Cancellation& cancellation) {
  if (!keeps_tables() || ranges_.empty()) return;
  const std::lock_guard lock(mutex_);
  if (kept_) return;
  auto tables = std::make_shared<BackgroundTables<T>>(plan_, ranges_.front());
  tables->build(background_, n_threads, cancellation);
  kept_ = std::move(tables);
}

template <typename T>
void BackgroundExplainer<T>::explain(const Rows& rows, T* out, int n_threads,
                                     Cancellation& cancellation) {
  const Index n_features = ensemble_->n_features, n_outputs = ensemble_->n_outputs;
  const std::size_t n_slots = plan_.n_slots();
  std::fill_n(out, count_rows(rows) * n_features * n_outputs, T{0});
  for_ranges(n_threads, cancellation, [&](const BackgroundTables<T>& tables) {
    tables.look_up(rows, n_threads, cancellation,
                   [&](Index first, Index count, const double* phi) {
                     T* values = out + first * n_features * n_outputs;
                     for (Index i = 0; i < count; ++i, phi += n_slots) {
                       for (FeatureId f = 0; f < n_features; ++f) {
                         for (OutputId k = 0; k < n_outputs; ++k) {
                           *values++ += static_cast<T>(phi[plan_.slot_of_feature(f, k)]);
                         }
                       }
                     }
                   });
  });
}

template <typename T>
std::vector<double> BackgroundExplainer<T>::pairwise_expectation() const {
  std::vector<double> sum(ensemble_->n_outputs, 0.0);
  if (plan_.n_pairwise_leaves() == 0) return sum;
  const TreeEnsemble& e = *ensemble_;
  for (Index tree = 0; tree < plan_.n_trees(); ++tree) {
    const auto begin = plan_.pairwise_leaves().begin();
    if (std::find(begin + e.tree_offsets[tree], begin + e.tree_offsets[tree + 1], true) ==
        begin + e.tree_offsets[tree + 1]) {
      continue;
    }
    const double weight = e.weight(tree, plan_.n_trees());
    for (Index i = 0; i < background_.n_rows(); ++i) {
      const Index leaf = std::visit(
          [&](const auto& view) { return find_leaf(e, tree, view.row(i)); }, background_.rows());
      if (!plan_.pairwise_leaves()[leaf]) continue;
      for (OutputId k = 0; k < e.leaf_width(); ++k) {
        sum[e.vector_leaves ? k : e.tree_output[tree]] +=
            weight * background_.weight(i) * e.leaf(leaf)[k];
      }
    }
  }
  return sum;
}

template <typename T>
std::vector<double> BackgroundExplainer<T>::expected_values(int n_threads,
                                                            Cancellation& cancellation) {
  {
    const std::lock_guard lock(mutex_);
    if (expected_) return *expected_;
  }
  std::vector<double> expected = plan_.constant();
  const std::vector<double> pairwise = pairwise_expectation();
  for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += pairwise[k];
  for_ranges(n_threads, cancellation, [&](BackgroundTables<T>& tables) {
    for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += tables.expectation()[k];
  });
  const std::lock_guard lock(mutex_);
  expected_ = expected;
  return expected;
}

template <typename T>
std::vector<T> BackgroundExplainer<T>::tables() const {
  const std::lock_guard lock(mutex_);
  if (!kept_) return {};
  std::vector<T> values(kept_->data(), kept_->data() + kept_->size());
  return values;
}

template <typename T>
void BackgroundExplainer<T>::set_tables(const T* values, std::size_t size) {
  if (!keeps_tables() || ranges_.empty()) return;
  auto tables = std::make_shared<BackgroundTables<T>>(plan_, ranges_.front());
  if (tables->size() != size) {
    throw InvalidInput("the tables have " + std::to_string(size) + " values, expected " +
                       std::to_string(tables->size()));
  }
  std::copy_n(values, size, tables->data());
  const std::lock_guard lock(mutex_);
  kept_ = std::move(tables);
}

template class BackgroundExplainer<float>;
template class BackgroundExplainer<double>;

}  // namespace leafshap
