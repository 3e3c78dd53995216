package io.github.nst

import android.content.Context
import android.graphics.Bitmap
import android.media.ThumbnailUtils
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

/** Paints photographs with assets/style.tflite. Not thread-safe. */
class Stylizer(context: Context) : AutoCloseable {
    private val model = CompiledModel.create(
        context.assets, "style.tflite", CompiledModel.Options(Accelerator.GPU, Accelerator.CPU),
    )
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /**
     * Returns the photograph, cut to the model's shape, in a style.
     *
     * @param style One of [STYLES].
     * @param strength 0 is the photograph, 1 the style as trained, 1.5 bolder.
     */
    fun paint(photo: Bitmap, style: String, strength: Float = 1f): Bitmap {
        val weights = FloatArray(STYLES.size + 1)
        weights[0] = 1f - strength
        weights[1 + STYLES.indexOf(style)] = strength
        return paint(photo, weights)
    }

    /**
     * Returns the photograph, cut to the model's shape.
     *
     * @param weights The model's input `style`: with the file for any painting the share 0,
     *   then the vector that any-encoder.tflite made of the painting, once.
     */
    fun paint(photo: Bitmap, weights: FloatArray): Bitmap {
        val small = ThumbnailUtils.extractThumbnail(photo, WIDTH, HEIGHT)
        val colors = IntArray(WIDTH * HEIGHT)
        small.getPixels(colors, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
        val image = FloatArray(3 * colors.size)
        for (i in colors.indices) {
            image[3 * i] = (colors[i] shr 16 and 255) / 255f
            image[3 * i + 1] = (colors[i] shr 8 and 255) / 255f
            image[3 * i + 2] = (colors[i] and 255) / 255f
        }
        inputs[IMAGE].writeFloat(image)
        inputs[STYLE].writeFloat(weights)
        model.run(inputs, outputs)
        val picture = outputs[0].readFloat()
        for (i in colors.indices) {
            val (red, green, blue) = List(3) { byte(picture[3 * i + it]) }
            colors[i] = (255 shl 24) or (red shl 16) or (green shl 8) or blue
        }
        return Bitmap.createBitmap(colors, WIDTH, HEIGHT, Bitmap.Config.ARGB_8888)
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }

    private fun byte(value: Float) = (255f * value.coerceIn(0f, 1f) + 0.5f).toInt()

    companion object {
        const val WIDTH = 512
        const val HEIGHT = 384

        /** Places of the inputs in the model's signature. */
        private const val IMAGE = 1
        private const val STYLE = 0
        val STYLES = listOf(
            "starry_night", "the_scream", "great_wave", "composition_vii",
            "delaunay_portrait", "udnie",
            "cafe_terrace", "port_en_bessin", "joy_of_life",
            "composition_viii", "woman_with_phlox", "exotic_landscape",
        )
    }
}
