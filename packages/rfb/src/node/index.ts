export { zlibDeflater, type ZlibDeflaterOptions } from './zlib-deflater.js';
export { zlibInflater } from './zlib-inflater.js';
