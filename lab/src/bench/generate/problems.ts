/** Prompts for models that were trained on worked solutions: short problems in words, written for this benchmark. */
export const PROBLEMS: readonly string[] = [
  'Mara bakes 4 trays of 12 rolls. She sells 30 of them in the morning and half of the rest at noon. How many rolls are left?',
  'A train has 9 cars with 42 seats each. 215 seats are taken. How many seats are free?',
  'Ines saves 15 dollars a week. After 8 weeks she buys a lamp for 37 dollars. How much money does she have left?',
  'A gardener plants 7 rows of 16 tulips and 5 rows of 11 roses. How many flowers does he plant in all?',
  'Jonas reads 24 pages a day. His book has 312 pages, and he has read for 6 days. How many pages are left?',
  'A box holds 18 pencils. A school orders 14 boxes and gives each of its 63 pupils 3 pencils. How many pencils remain?',
  'Tea costs 4 dollars a bag and coffee 7 dollars a bag. Lea buys 6 bags of tea and 3 bags of coffee. What does she pay?',
  'A tank of 480 liters loses 5 liters an hour. How many liters are in it after 2 days?',
  'Three friends share a bill of 84 dollars. One pays half of it, the others the same each. How much does each of the others pay?',
  'A farm has 36 hens. Each lays 5 eggs a week. The farmer sells a dozen eggs for 3 dollars. What does he earn in a week?',
  'Omar drives 65 miles an hour for 4 hours and then 50 miles an hour for 2 hours. How far does he drive?',
  'A baker needs 250 grams of flour for a loaf. He has 6 kilograms. How many loaves can he bake?',
  'Nora is twice as old as her brother, who is 9. In how many years will she be 30?',
  'A shirt costs 40 dollars and is sold for a quarter less. How much do 3 shirts cost now?',
  'There are 128 chairs in 8 equal rows. Two rows are taken away. How many chairs are left?',
  'A printer makes 45 pages a minute. How many minutes does it need for 12 books of 150 pages?',
].map((text) => `Problem: ${text}\nSolution:`);
