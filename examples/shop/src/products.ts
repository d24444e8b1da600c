import products from "./products.json" with { type: "json" };

export interface Product {
  readonly key: string;
  readonly name: string;
  readonly category: string;
  readonly cents: number;
  readonly description: string;
  readonly reviews: readonly { readonly stars: number; readonly text: string }[];
}

export const PRODUCTS: readonly Product[] = products;

/** Products that hold every word of the query, in name before category before description. */
export function search(query: string): readonly Product[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 10);
  if (words.length === 0) return PRODUCTS;
  const found: { product: Product; score: number }[] = [];
  for (const product of PRODUCTS) {
    const fields = [product.name, product.category, product.description].map((text) => text.toLowerCase());
    const places = words.map((word) => fields.findIndex((text) => text.includes(word)));
    if (places.every((place) => place >= 0)) found.push({ product, score: places.reduce((sum, place) => sum + place, 0) });
  }
  return found.sort((a, b) => a.score - b.score).map(({ product }) => product);
}
