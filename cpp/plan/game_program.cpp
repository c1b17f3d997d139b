#include "plan/game_program.hpp"

#include <algorithm>

namespace leafshap {
namespace {

// A few distinct players, or too many to count.
class PlayerSet {
 public:
  bool countable() const { return n_ <= kMostGameBits; }
  int size() const { return n_; }
  const std::uint32_t* begin() const { return players_; }
  const std::uint32_t* end() const { return players_ + n_; }
  int find(std::uint32_t player) const {
    return static_cast<int>(std::find(begin(), end(), player) - begin());
  }
  void add(std::uint32_t player) {
    if (!countable() || find(player) < n_) return;
    if (n_ < kMostGameBits) players_[n_] = player;
    ++n_;
  }
  void add(const PlayerSet& other) {
    if (!other.countable()) n_ = kMostGameBits + 1;
    if (!countable()) return;
    for (const std::uint32_t player : other) add(player);
  }
  void move_to_end(std::uint32_t player) {
    std::rotate(players_ + find(player), players_ + find(player) + 1, players_ + n_);
  }

 private:
  int n_ = 0;
  std::uint32_t players_[kMostGameBits];
};

class Compiler {
 public:
  Compiler(const GamePlan& plan, const GamePlanTree& tree,
           const std::vector<std::uint32_t>& players, std::uint32_t n_players,
           std::size_t most_patterns)
      : plan_(plan),
        tree_(tree),
        nodes_(plan.nodes().data() + tree.node),
        features_(plan.features().data() + tree.node),
        players_(players),
        nobody_(n_players),
        most_patterns_(most_patterns) {}

  GameProgram compile() {
    find_players();
    // first the nodes with patterns, which stay; the others' numbers are those of a block
    emit_steps(true);
    program_.n_pattern_steps = program_.steps.size();
    emit_steps(false);
    place_entries();
    return std::move(program_);
  }

 private:
  std::uint32_t player(std::size_t node) const { return players_[features_[node]]; }
  bool has_patterns(std::int32_t node) const { return has_patterns_[node]; }

  // What every node's numbers depend on: the players above and below.
  void find_players() {
    const std::size_t n = tree_.n_nodes;
    sets_.resize(n);
    depth_.assign(n, 0);
    std::vector<PlayerSet> above(n);
    for (std::size_t i = n; i-- > 0;) {
      for (const std::int32_t child : {nodes_[i].left, nodes_[i].right}) {
        if (child < 0) continue;
        depth_[child] = depth_[i] + 1;
        above[child] = above[i];
        if (player(i) != nobody_) above[child].add(player(i));
      }
    }
    has_patterns_.assign(n, false);
    for (std::size_t i = 0; i < n; ++i) {
      PlayerSet& set = sets_[i];
      set = above[i];
      for (const std::int32_t child : {nodes_[i].left, nodes_[i].right}) {
        if (child >= 0) set.add(sets_[child]);
      }
      if (player(i) != nobody_) set.add(player(i));
      has_patterns_[i] = set.countable() && std::size_t{1} << set.size() <= most_patterns_;
      if (has_patterns_[i] && player(i) != nobody_) set.move_to_end(player(i));
    }
  }

  void emit_steps(bool patterns) {
    for (std::size_t i = 0; i < tree_.n_nodes; ++i) {
      if (has_patterns_[i] != patterns) continue;
      GameStep step{};
      step.node = static_cast<std::uint32_t>(i);
      step.player = player(i);
      step.n_bits = static_cast<std::uint8_t>(patterns ? sets_[i].size() : 0);
      step.own_bit = player(i) != nobody_;
      const PlayerSet* keys = patterns ? &sets_[i] : nullptr;
      step.left = child_of(nodes_[i].left, keys);
      step.right = child_of(nodes_[i].right, keys);
      program_.steps.push_back(step);
    }
    const auto root = static_cast<std::int32_t>(tree_.n_nodes) - 1;
    if (!patterns && has_patterns(root)) program_.root = child_of(root, nullptr);
  }

  // keys: the parent's players, by bit; null: it goes by coalition.
  GameChild child_of(std::int32_t node, const PlayerSet* keys) {
    GameChild child{};
    child.links = static_cast<std::uint32_t>(program_.links.size());
    if (node < 0) {
      const GamePlanLeaf& leaf = plan_.leaves()[~node];
      child.is_leaf = 1;
      child.first = leaf.table;
      child.value = leaf.value;
      for (std::uint32_t bit = 0; bit < leaf.n_features; ++bit) {
        link(players_[plan_.leaf_features()[leaf.features + bit]], bit, keys);
      }
    } else if (has_patterns(node)) {
      std::uint32_t bit = 0;
      for (const std::uint32_t player : sets_[node]) link(player, bit++, keys);
    } else {
      child.is_direct = 1;
    }
    child.n_links = static_cast<std::uint32_t>(program_.links.size()) - child.links;
    return child;
  }

  void link(std::uint32_t player, std::uint32_t bit, const PlayerSet* keys) {
    if (player == nobody_) return;
    const std::uint32_t key =
        keys == nullptr ? player : static_cast<std::uint32_t>(keys->find(player));
    program_.links.push_back({key, static_cast<std::uint16_t>(1u << bit)});
  }

  // Results wait on stacks until their parent takes them, on one of two in turn so that a parent's
  // place is none of its children's. Patterns that go by coalition further up wait to the end.
  void place_entries() {
    struct Stack {
      std::uint32_t size = 0, most = 0, first = 0;
    };
    Stack stacks[2][2];  // by kind and depth
    std::vector<std::uint32_t> place(tree_.n_nodes);
    const auto stack_of = [&](std::size_t node) -> Stack& {
      return stacks[has_patterns_[node]][depth_[node] % 2];
    };
    const auto size_of = [&](std::size_t node) {
      return has_patterns_[node] ? 1u << sets_[node].size() : std::uint32_t{kGameBlock};
    };
    for (const GameStep& step : program_.steps) {
      const GameNode& node = nodes_[step.node];
      for (const std::int32_t child : {node.left, node.right}) {
        if (child >= 0 && has_patterns_[child] == has_patterns_[step.node]) {
          stack_of(child).size -= size_of(child);
        }
      }
      Stack& stack = stack_of(step.node);
      place[step.node] = stack.size;
      stack.size += size_of(step.node);
      stack.most = std::max(stack.most, stack.size);
    }
    for (auto& kind : stacks) {
      for (Stack& stack : kind) {
        stack.first = static_cast<std::uint32_t>(program_.n_entries);
        program_.n_entries += stack.most;
      }
    }
    const auto entry_of = [&](std::size_t node) { return stack_of(node).first + place[node]; };
    for (GameStep& step : program_.steps) {
      const GameNode& node = nodes_[step.node];
      step.target = entry_of(step.node);
      if (node.left >= 0) step.left.first = entry_of(node.left);
      if (node.right >= 0) step.right.first = entry_of(node.right);
    }
    program_.root.first = entry_of(tree_.n_nodes - 1);
  }

  const GamePlan& plan_;
  const GamePlanTree& tree_;
  const GameNode* nodes_;
  const FeatureId* features_;
  const std::vector<std::uint32_t>& players_;
  std::uint32_t nobody_;
  std::size_t most_patterns_;
  std::vector<PlayerSet> sets_;
  std::vector<std::uint32_t> depth_;
  std::vector<bool> has_patterns_;
  GameProgram program_;
};

}  // namespace

GameTree GameProgram::view(const GamePlan& plan, const GamePlanTree& tree) const {
  return {plan.nodes().data() + tree.node,
          tree.n_nodes,
          steps.data(),
          n_pattern_steps,
          steps.size(),
          links.data(),
          n_entries,
          root};
}

GameProgram compile_game(const GamePlan& plan, const GamePlanTree& tree,
                         const std::vector<std::uint32_t>& players, std::uint32_t n_players,
                         std::size_t most_patterns) {
  return Compiler(plan, tree, players, n_players, most_patterns).compile();
}

}  // namespace leafshap
