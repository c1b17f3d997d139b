#include "plan/feature_pairs.hpp"

#include <algorithm>
#include <unordered_set>

namespace leafshap {
namespace {

// Collects the pairs of one tree after the other: each new feature of a path with those above.
class Collector {
 public:
  explicit Collector(const TreeEnsemble& e)
      : e_(e), on_path_(static_cast<std::size_t>(e.n_features), false) {}

  void collect(Index tree) {
    struct Frame {
      NodeId node;
      bool entered, added;  // added: the node's feature is new on the path
    };
    const Index offset = e_.tree_offsets[tree];
    std::vector<Frame> stack{{0, false, false}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const Index node = offset + frame.node;
      if (frame.entered || e_.left[node] == -1) {
        if (frame.added) {
          on_path_[path_.back()] = false;
          path_.pop_back();
        }
        stack.pop_back();
        continue;
      }
      frame.entered = true;
      frame.added = add(e_.split_feature[node]);
      stack.push_back({e_.left[node], false, false});  // invalidates frame
      stack.push_back({e_.right[node], false, false});
    }
  }

  std::vector<FeaturePair> sorted() const {
    std::vector<FeaturePair> pairs;
    pairs.reserve(keys_.size());
    for (const Index key : keys_) {
      pairs.emplace_back(static_cast<FeatureId>(key / e_.n_features),
                         static_cast<FeatureId>(key % e_.n_features));
    }
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }

 private:
  bool add(FeatureId feature) {
    if (on_path_[feature]) return false;
    for (const FeatureId other : path_) {
      const auto [low, high] = std::minmax(feature, other);
      keys_.insert(Index{low} * e_.n_features + high);
    }
    on_path_[feature] = true;
    path_.push_back(feature);
    return true;
  }

  const TreeEnsemble& e_;
  std::vector<bool> on_path_;
  std::vector<FeatureId> path_;
  std::unordered_set<Index> keys_;
};

}  // namespace

std::vector<FeaturePair> pairs_on_paths(const TreeEnsemble& ensemble, Index n_trees) {
  Collector collector(ensemble);
  for (Index tree = 0; tree < n_trees; ++tree) collector.collect(tree);
  return collector.sorted();
}

}  // namespace leafshap
