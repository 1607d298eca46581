// A seeded pseudo-random source (mulberry32), so that recording twice gives
// the same files. Math.random and the clock are never used.

export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** A float in [0, 1). */
  float() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer in [low, high]. */
  between(low, high) {
    return low + Math.floor(this.float() * (high - low + 1))
  }

  chance(probability) {
    return this.float() < probability
  }

  pick(list) {
    return list[Math.floor(this.float() * list.length)]
  }

  /** A key of `weights`, `{name: weight}`, in proportion to its weight. */
  weighted(weights) {
    const entries = Object.entries(weights)
    let left = this.float() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries[entries.length - 1][0]
  }
}
