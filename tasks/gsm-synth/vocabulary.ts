/** A thing that can be counted and bought, and what one costs in whole dollars. */
export interface Thing {
  readonly one: string;
  readonly many: string;
  readonly price: readonly [number, number];
}

const words = (text: string): readonly string[] => text.trim().split(/\s*,\s*/);

/** Rows `one/many/lowest price/highest price`. */
const things = (text: string): readonly Thing[] =>
  words(text).map((row) => {
    const [one = "", many = "", low, high] = row.split("/");
    return { one, many, price: [Number(low), Number(high)] };
  });

export const FEMALE_NAMES: readonly string[] = words(`Abigail, Aisha, Alice, Amara, Amy, Anita, Anna, Beatriz, Bella,
  Betty, Bianca, Carla, Carmen, Chloe, Claire, Daisy, Diana, Elena, Ella, Emily, Emma, Esther, Fatima, Fiona, Freya,
  Gloria, Grace, Hannah, Hazel, Helen, Ines, Ingrid, Iris, Ivy, Jasmine, Joan, Julia, Karen, Kavya, Keiko, Laura, Leila,
  Lena, Lily, Lucy, Mabel, Maria, Martha, Maya, Mei, Mia, Naomi, Natalie, Nina, Nora, Olga, Olivia, Paula, Penny, Priya,
  Rachel, Rosa, Ruby, Ruth, Sally, Sara, Sofia, Stella, Tara, Teresa, Uma, Vera, Violet, Wendy, Yasmin, Zoe`);

export const MALE_NAMES: readonly string[] = words(`Aaron, Adam, Ahmed, Alan, Albert, Andre, Anton, Arthur, Ben, Boris,
  Brian, Bruno, Caleb, Carlos, Chris, Colin, Daniel, David, Dmitri, Edgar, Eli, Emil, Eric, Ethan, Felix, Finn, Frank,
  George, Hassan, Henry, Hugo, Ian, Ivan, Jack, Jacob, James, Jerome, Joel, John, Jorge, Karl, Kenji, Kevin, Kofi, Leo,
  Liam, Louis, Luis, Marcus, Martin, Mateo, Max, Miguel, Nathan, Noah, Oliver, Omar, Oscar, Owen, Paolo, Paul, Peter,
  Raj, Ravi, Robert, Samuel, Simon, Stefan, Theo, Thomas, Tim, Victor, Walter, Wei, William, Yusuf, Zack`);

/** Small things that people own, collect, give away and sell by the dozen. */
export const SMALL_THINGS: readonly Thing[] = things(`sticker/stickers/1/3, marble/marbles/1/3, button/buttons/1/3,
  pencil/pencils/1/3, stamp/stamps/1/6, bead/beads/1/2, crayon/crayons/1/3, eraser/erasers/1/3, shell/shells/1/3,
  balloon/balloons/1/3, ribbon/ribbons/1/4, badge/badges/2/6, postcard/postcards/1/4, magnet/magnets/2/7,
  keychain/keychains/2/8, bookmark/bookmarks/1/4, toy car/toy cars/2/9, trading card/trading cards/1/6,
  candle/candles/3/12, bracelet/bracelets/4/15, greeting card/greeting cards/2/6, paper crane/paper cranes/1/3`);

export const FRUIT: readonly Thing[] = things(`apple/apples/1/3, orange/oranges/1/3, pear/pears/1/3, peach/peaches/1/4,
  plum/plums/1/3, mango/mangoes/2/4, lemon/lemons/1/3, melon/melons/3/7, pineapple/pineapples/3/8, kiwi/kiwis/1/3,
  coconut/coconuts/2/6, grapefruit/grapefruits/1/4`);

export const VEGETABLES: readonly string[] = words(`tomatoes, peppers, carrots, cabbages, potatoes, onions, cucumbers,
  pumpkins, turnips, eggplants, radishes, beets`);

export const BAKED: readonly Thing[] = things(`cookie/cookies/1/4, cupcake/cupcakes/2/6, muffin/muffins/2/6,
  brownie/brownies/2/5, donut/donuts/1/4, bagel/bagels/1/4, croissant/croissants/2/5, scone/scones/2/5, tart/tarts/3/9,
  bread roll/bread rolls/1/3, pretzel/pretzels/1/4, cinnamon bun/cinnamon buns/2/6`);

export const CLOTHES: readonly Thing[] = things(`shirt/shirts/12/40, hat/hats/8/35, scarf/scarves/9/32,
  jacket/jackets/35/150, sweater/sweaters/20/80, dress/dresses/25/120, belt/belts/10/45, skirt/skirts/18/60,
  coat/coats/50/190, hoodie/hoodies/22/70, vest/vests/18/65`);

/** Goods for a household or a desk. */
export const GOODS: readonly Thing[] =
  things(`notebook/notebooks/2/9, mug/mugs/5/18, lamp/lamps/15/85, pillow/pillows/10/45,
  plate/plates/3/15, basket/baskets/8/35, poster/posters/6/25, backpack/backpacks/18/75, umbrella/umbrellas/9/35,
  water bottle/water bottles/6/28, board game/board games/14/55, paperback/paperbacks/6/18, picture frame/picture frames/7/32,
  towel/towels/6/25, blanket/blankets/15/65, vase/vases/9/48, puzzle/puzzles/8/28, flashlight/flashlights/8/30,
  alarm clock/alarm clocks/11/45, cutting board/cutting boards/9/36`);

/** Things that one saves for. */
export const BIG_THINGS: readonly Thing[] =
  things(`bicycle/bicycles/120/900, laptop/laptops/350/1900, phone/phones/200/1200,
  guitar/guitars/120/900, camera/cameras/180/1500, tablet/tablets/150/800, telescope/telescopes/140/950,
  keyboard/keyboards/90/800, tent/tents/90/600, game console/game consoles/250/600, desk/desks/120/700,
  skateboard/skateboards/60/180, drum set/drum sets/300/1200, sewing machine/sewing machines/150/800,
  kayak/kayaks/300/1400, surfboard/surfboards/250/900`);

/** What money is spent on: below $35, below $150, and above. */
export const EXPENSES: Readonly<Record<"small" | "medium" | "large", readonly string[]>> = {
  small: words(`bus tickets, a haircut, lunch, a movie ticket, flowers, a museum visit, a pizza, stamps`),
  medium: words(
    `groceries, a birthday present, gas, books, a concert ticket, art supplies, a phone bill, shoes, dinner`,
  ),
  large: words(`a car repair, a new washing machine, a trip to the mountains, furniture, a dentist bill, new windows`),
};

export const RELATIVES: readonly string[] = words(`brother, sister, cousin, friend, neighbor, uncle, aunt, classmate,
  roommate, teammate, grandmother, grandfather`);

export const GROUPS: readonly string[] = words(`friends, cousins, classmates, neighbors, teammates, coworkers`);

export const BOXES: readonly Thing[] = things(`box/boxes/1/1, bag/bags/1/1, basket/baskets/1/1, crate/crates/1/1,
  pack/packs/1/1, jar/jars/1/1, carton/cartons/1/1, bin/bins/1/1, tray/trays/1/1, tin/tins/1/1`);

export const MONTHS: readonly string[] = words(`January, February, March, April, May, June, July, August, September,
  October, November, December`);

export const DAYS: readonly string[] = words(`Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday`);

export const COLORS: readonly string[] = words(`red, blue, green, yellow, white, black, purple, orange, pink, brown`);

export const FLOWERS: readonly Thing[] = things(`rose/roses/2/6, tulip/tulips/1/4, daisy/daisies/1/3, lily/lilies/2/6,
  sunflower/sunflowers/2/6, orchid/orchids/6/18, carnation/carnations/1/4, peony/peonies/3/8`);

export const HOBBIES: readonly string[] =
  words(`soccer, tennis, chess, basketball, swimming, painting, dancing, baseball,
  drama, robotics, hiking, karate`);

export const SHOPS: readonly string[] =
  words(`bakery, restaurant, grocery store, car wash, pet shop, museum, hotel, gym,
  toy store, cafe, bookstore, garage, flower shop, clothing store`);

export const PLACES: readonly string[] =
  words(`the park, the beach, the zoo, the museum, the market, the library, the fair,
  the lake, the city, the mountains`);
