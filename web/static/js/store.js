// Shared state: a value with listeners, and a hook that renders a component when its part changes.
import { useEffect, useReducer, useRef } from "preact/hooks";

export function createStore(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const same = (value) => value;

export function useStore(store, select = same) {
  const [, render] = useReducer((count) => count + 1, 0);
  const current = select(store.get());
  const shown = useRef(current);
  shown.current = current;
  useEffect(() => {
    const look = () => {
      if (!Object.is(select(store.get()), shown.current)) render();
    };
    look(); // it may have changed between rendering and now
    return store.subscribe(look);
  }, [store]);
  return current;
}
