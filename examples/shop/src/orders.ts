import { PRODUCTS } from "./products.ts";

export interface Line {
  readonly name: string;
  readonly count: number;
  readonly cents: number;
}

/** What a basket costs. The new checkout shows where the price comes from and ships for nothing from 50 on; the classic one is one sum. */
export type Price =
  | { readonly checkout: "classic"; readonly totalCents: number }
  | {
      readonly checkout: "new";
      readonly lines: readonly Line[];
      readonly shippingCents: number;
      readonly taxCents: number;
      readonly totalCents: number;
    };

const SHIPPING_CENTS = 490;
const FREE_SHIPPING_FROM_CENTS = 5_000;
const TAX_PERCENT = 19;
const COUNT_MAX = 99;

/** Reads `[{key, count}]`; undefined for anything else, unknown products included. */
export function readBasket(value: unknown): readonly Line[] | undefined {
  if (!Array.isArray(value) || value.length > PRODUCTS.length) return undefined;
  const lines: Line[] = [];
  for (const item of value as readonly { key?: unknown; count?: unknown }[]) {
    const product = PRODUCTS.find(({ key }) => key === item?.key);
    const count = item?.count;
    if (!product || typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > COUNT_MAX) return undefined;
    lines.push({ name: product.name, count, cents: product.cents * count });
  }
  return lines;
}

export function priceOf(lines: readonly Line[], checkout: Price["checkout"]): Price {
  const goods = lines.reduce((sum, line) => sum + line.cents, 0);
  if (checkout === "classic") return { checkout, totalCents: lines.length > 0 ? goods + SHIPPING_CENTS : 0 };
  const shippingCents = lines.length > 0 && goods < FREE_SHIPPING_FROM_CENTS ? SHIPPING_CENTS : 0;
  const totalCents = goods + shippingCents;
  const taxCents = Math.round(totalCents - totalCents / (1 + TAX_PERCENT / 100));
  return { checkout, lines, shippingCents, taxCents, totalCents };
}
